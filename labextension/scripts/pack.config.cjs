/**
 * For the packer of the JupyterLab extension: modules and chunks are numbered in the order in which they are met. Its default
 * derives the numbers from absolute paths, and the same sources would give other bytes in every folder.
 */
module.exports = { optimization: { moduleIds: "natural", chunkIds: "natural" } };
