"""Operations on samples."""
