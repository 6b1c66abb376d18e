"""SRT: publishers, pulled sources and pushes, by the system's libsrt."""
