"""Which addresses a session may reach, and how FFmpeg is made to reach no others."""
