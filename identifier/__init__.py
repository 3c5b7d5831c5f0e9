"""The identifier: frames in capture order, faces against the gallery, names out."""
