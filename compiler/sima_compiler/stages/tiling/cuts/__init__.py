"""How a layer is cut into blocks, and neighbouring layers into stripes. Sees `block` and `maps`."""
