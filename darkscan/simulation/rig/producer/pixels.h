/* From light, or a test pattern, to the bytes of a pixel format. */
#ifndef PIXELS_H
#define PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rig.h"

#define MONO8 0x01080001u
#define MONO10 0x01100003u
#define MONO10P 0x010A0046u
#define MONO12 0x01100005u
#define MONO12P 0x010C0047u
#define MONO12PACKED 0x010C0006u
#define MONO16 0x01100007u

/* Significant bits of a grey level; 0: no format of ours. */
int format_depth(uint32_t format);
/* Bits that a pixel takes. */
int format_bits(uint32_t format);
/* Writes grey levels (width,) as a row of bytes. The width fits whole bytes. */
void pack_row(uint32_t format, const uint16_t *levels, uint32_t width, uint8_t *row);

/* What it takes to make rows of one acquisition. */
struct optics {
    const struct rig *rig; /* NULL: test pattern */
    uint32_t format, width, offset_x, offset_y;
    float *light;     /* (width,) */
    uint16_t *levels; /* (width,) */
    uint8_t *ramp;    /* (width + 256,): 0, 1, 2... of the Mono8 test pattern */
    uint64_t random;  /* where the noise goes on; never 0 */
};

/* Noise goes on where it was, so that no two acquisitions have the same. */
bool optics_begin(struct optics *optics, const struct rig *rig, uint32_t format, uint32_t width,
                  uint32_t offset_x, uint32_t offset_y);
void optics_end(struct optics *optics);

/* Fills rows of a frame seen from a position of the axes; number and first_row shape the test
 * pattern: (x + y + number) modulo the format's grey levels. */
void expose(struct optics *optics, const double position[3], uint64_t number, uint32_t first_row,
            uint32_t rows, size_t row_bytes, uint8_t *out);

#endif
