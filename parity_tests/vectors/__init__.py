"""Golden vectors: inputs, results and tolerances in files, for implementations in any language."""
