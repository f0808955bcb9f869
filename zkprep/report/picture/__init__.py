"""A cut as a picture: operators in boxes, slices in bands, tensors that cross with their sizes.

`boxes` decides what is drawn, `layered` where; `svg` and `mermaid` write it down.
"""
