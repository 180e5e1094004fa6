"""Rate-distortion studies: many codecs, many clips, one set of conditions."""
