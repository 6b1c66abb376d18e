"""WebSocket: publishing speech, receiving dubs and events."""
