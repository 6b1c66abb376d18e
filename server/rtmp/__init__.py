"""RTMP ingest: the wire protocol without I/O, and the server that publishers reach."""
