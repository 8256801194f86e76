/* Pixel formats: how grey levels become bytes. */
#include <string.h>

#include "pixels.h"

int format_depth(uint32_t format)
{
    switch (format) {
    case MONO8:
        return 8;
    case MONO10:
    case MONO10P:
        return 10;
    case MONO12:
    case MONO12P:
    case MONO12PACKED:
        return 12;
    case MONO16:
        return 16;
    default:
        return 0;
    }
}

int format_bits(uint32_t format) { return (int)(format >> 16 & 0xFF); /* PFNC says it there */ }

static void pack_8(const uint16_t *levels, uint32_t width, uint8_t *row)
{
    for (uint32_t x = 0; x < width; x++)
        row[x] = (uint8_t)levels[x];
}

static void pack_10p(const uint16_t *levels, uint32_t width, uint8_t *row)
{
    for (uint32_t x = 0; x < width; x += 4, levels += 4, row += 5) {
        uint64_t four = (uint64_t)levels[0] | (uint64_t)levels[1] << 10 |
                        (uint64_t)levels[2] << 20 | (uint64_t)levels[3] << 30;
        for (int byte = 0; byte < 5; byte++)
            row[byte] = (uint8_t)(four >> 8 * byte);
    }
}

static void pack_12p(const uint16_t *levels, uint32_t width, uint8_t *row)
{
    for (uint32_t x = 0; x < width; x += 2, levels += 2, row += 3) {
        row[0] = (uint8_t)levels[0];
        row[1] = (uint8_t)(levels[0] >> 8 | levels[1] << 4);
        row[2] = (uint8_t)(levels[1] >> 4);
    }
}

static void pack_12_packed(const uint16_t *levels, uint32_t width, uint8_t *row)
{
    for (uint32_t x = 0; x < width; x += 2, levels += 2, row += 3) {
        row[0] = (uint8_t)(levels[0] >> 4);
        row[1] = (uint8_t)((levels[0] & 0xF) | (levels[1] & 0xF) << 4);
        row[2] = (uint8_t)(levels[1] >> 4);
    }
}

void pack_row(uint32_t format, const uint16_t *levels, uint32_t width, uint8_t *row)
{
    switch (format) {
    case MONO8:
        pack_8(levels, width, row);
        break;
    case MONO10P:
        pack_10p(levels, width, row);
        break;
    case MONO12P:
        pack_12p(levels, width, row);
        break;
    case MONO12PACKED:
        pack_12_packed(levels, width, row);
        break;
    default: /* two bytes each, little-endian */
        memcpy(row, levels, width * sizeof *levels);
    }
}
