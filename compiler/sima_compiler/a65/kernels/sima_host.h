/* What the `.so` of a host segment offers. */
#ifndef SIMA_HOST_H
#define SIMA_HOST_H

#include <stdint.h>

#define SIMA_EXPORT __attribute__((visibility("default")))

/* Version of this interface: 1. */
extern SIMA_EXPORT const uint32_t sima_host_version;

/* Bytes that sima_host_run needs as its workspace. */
extern SIMA_EXPORT const uint64_t sima_host_workspace_bytes;

/* Runs the segment once: the whole batch.
 *
 * inputs, outputs: one pointer for each tensor of the segment, in its order; arrays are dense, in row-major order and aligned to
 * their elements; a boolean is a byte, 0 or 1. They may not overlap. workspace: memory of sima_host_workspace_bytes, aligned to 64
 * bytes, which may hold anything before and holds nothing of use after. Calls with different memory may run at the same time.
 * Gives 0; there is nothing that can fail. */
SIMA_EXPORT int sima_host_run(const void *const *inputs, void *const *outputs, void *workspace);

/* The segment itself, each in a section of its own: in the form of the compiler that made it (.sima.segment), as an ONNX model
 * (.sima.onnx), and as the C that this library was built from (.sima.source). */
extern SIMA_EXPORT const unsigned char sima_host_segment[];
extern SIMA_EXPORT const unsigned char sima_host_onnx[];
extern SIMA_EXPORT const unsigned char sima_host_source[];

#endif
