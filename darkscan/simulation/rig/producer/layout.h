/* How pixels and chunks lie in a buffer. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum chunk { CHUNK_FRAME_ID, CHUNK_TIMESTAMP, CHUNK_ENCODER, CHUNK_COUNTER, CHUNK_LINES, CHUNKS };

/* As in the nodes' descriptions: CHUNK_ID + enum chunk. */
#define CHUNK_ID 0x1000

struct layout {
    uint32_t width, height, offset_x, offset_y; /* pixels */
    uint32_t format;                            /* PFNC */
    size_t row_bytes, image_bytes;
    size_t chunk_at[CHUNKS]; /* bytes from the start of the buffer; 0: not enabled */
    size_t chunk_bytes[CHUNKS];
    int chunks; /* enabled ones */
    size_t payload;
};

#endif
