"""Who is speaking, and the reference recordings of voices."""
