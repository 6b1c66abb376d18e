"""HLS output: segments, playlists and captions of a live window, and their routes."""
