"""Media and time: the timeline, the source, segmentation, fitting, playout and sinks.

Nothing here knows a model or a network protocol beyond what FFmpeg opens.
"""
