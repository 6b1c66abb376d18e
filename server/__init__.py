"""Composition: configuration, sessions, the command line."""

import os

# Before numpy is imported: its BLAS lets a thread on every core spin after products of a few
# kilobytes, such as a spectrum's, which costs a tenth of the processor time of a dub.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
