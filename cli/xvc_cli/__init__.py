"""The `xvc` command: FFmpeg's habits on the outside, one library call on the inside of every verb."""
