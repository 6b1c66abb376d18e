"""WebRTC: publishing by WHIP, playback by WHEP."""
