/* What the sensor makes of the light that falls on it; or a test pattern. */
#include "pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CANVAS_STEP (1.0f / 256.0f) /* grey levels at 8 bit */
#define SEED 0x9E3779B97F4A7C15ULL

bool optics_begin(struct optics *optics, const struct rig *rig, uint32_t format, uint32_t width,
                  uint32_t offset_x, uint32_t offset_y)
{
    uint64_t random = optics->random ? optics->random : SEED;
    *optics = (struct optics){rig, format, width, offset_x, offset_y, NULL, NULL, NULL, random};
    optics->light = malloc(width * sizeof *optics->light);
    optics->levels = malloc(width * sizeof *optics->levels);
    optics->ramp = malloc(width + 256);
    if (!optics->light || !optics->levels || !optics->ramp) {
        optics_end(optics);
        return false;
    }
    for (uint32_t i = 0; i < width + 256; i++)
        optics->ramp[i] = (uint8_t)i;
    return true;
}

void optics_end(struct optics *optics)
{
    free(optics->light);
    free(optics->levels);
    free(optics->ramp);
    optics->light = NULL;
    optics->levels = NULL;
    optics->ramp = NULL;
}

static uint64_t draw(uint64_t *random) /* xorshift */
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void show_pattern(struct optics *optics, uint64_t phase, size_t row_bytes, uint8_t *row)
{
    if (optics->format == MONO8) {
        memcpy(row, optics->ramp + (phase & 0xFF), row_bytes);
        return;
    }
    uint32_t mask = (1u << format_depth(optics->format)) - 1, start = (uint32_t)phase;
    for (uint32_t x = 0; x < optics->width; x++)
        optics->levels[x] = (uint16_t)((x + start) & mask);
    pack_row(optics->format, optics->levels, optics->width, row);
}

static const void *part(const struct rig *rig, uint64_t at)
{
    return at ? (const char *)rig + at : NULL;
}

static void gather_light(const struct rig *rig, int64_t column, int64_t row, uint32_t width,
                         float *light)
{
    const uint16_t *canvas = part(rig, rig->canvas_at);
    int64_t canvas_width = (int64_t)rig->canvas_width;
    int64_t first = column < 0 ? -column : 0, last = canvas_width - column;
    last = last > width ? width : last;
    memset(light, 0, width * sizeof *light);
    if (!rig_load(&rig->light) || row < 0 || row >= (int64_t)rig->canvas_height)
        return;
    canvas += row * canvas_width + column;
    for (int64_t x = first; x < last; x++)
        light[x] = canvas[x] * CANVAS_STEP;
}

static void attenuate(float *restrict light, const float *restrict gains, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++)
        light[x] *= gains[x];
}

static void add_noise(const struct rig *rig, float *restrict light, const float *restrict noise,
                      uint32_t width)
{
    const float gain = (float)rig->noise_gain, offset = (float)rig->noise_offset;
    const float floor = (float)(rig->noise_floor * rig->noise_floor);
    for (uint32_t x = 0; x < width; x++) {
        float variance = gain * light[x] + offset;
        variance = variance > floor ? variance : floor;
        light[x] += sqrtf(variance) * noise[x];
    }
}

/* A row of the noise tile from a column on, again and again. */
static void add_tiled_noise(const struct rig *rig, float *light, uint64_t row, uint64_t column,
                            uint32_t width)
{
    uint64_t side = rig->noise_side;
    const float *tile = (const float *)part(rig, rig->noise_at) + row % side * side;
    for (uint32_t done = 0; done < width;) {
        uint64_t start = (column + done) % side, length = side - start;
        if (length > width - done)
            length = width - done;
        add_noise(rig, light + done, tile + start, (uint32_t)length);
        done += (uint32_t)length;
    }
}

static void add_hot(float *restrict light, const float *restrict hot, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++)
        light[x] += hot[x];
}

static void quantise(const float *restrict light, uint16_t *restrict levels, uint32_t width,
                     int depth)
{
    const float scale = (float)(1 << (depth - 8)), most = (float)((1 << depth) - 1);
    for (uint32_t x = 0; x < width; x++) {
        float level = light[x] * scale + 0.5f;
        level = level > 0.0f ? level : 0.0f;
        level = level < most ? level : most;
        levels[x] = (uint16_t)(int32_t)level;
    }
}

/* The place of the frame's first pixel on the canvas, whole pixels. */
static void place(const struct optics *optics, const double position[3], int64_t *column,
                  int64_t *row)
{
    const double *to = optics->rig->to_canvas;
    *column =
        (int64_t)floor(to[0] * position[0] + to[1] * position[1] + to[2] + 0.5) + optics->offset_x;
    *row =
        (int64_t)floor(to[3] * position[0] + to[4] * position[1] + to[5] + 0.5) + optics->offset_y;
}

void expose(struct optics *optics, const double position[3], uint64_t number, uint32_t first_row,
            uint32_t rows, size_t row_bytes, uint8_t *out)
{
    const struct rig *rig = optics->rig;
    uint32_t width = optics->width;
    if (!rig) {
        for (uint32_t y = 0; y < rows; y++)
            show_pattern(optics, number + first_row + y, row_bytes, out + y * row_bytes);
        return;
    }
    const float *gains = part(rig, rig->gains_at), *hot = part(rig, rig->hot_at);
    int64_t column, row;
    place(optics, position, &column, &row);
    uint64_t noise_row = draw(&optics->random) >> 32, noise_column = draw(&optics->random) >> 32;
    for (uint32_t y = 0; y < rows; y++) {
        size_t sensor = (size_t)(optics->offset_y + y) * rig->sensor_width + optics->offset_x;
        gather_light(rig, column, row + y, width, optics->light);
        if (gains)
            attenuate(optics->light, gains + sensor, width);
        if (rig->noise_at)
            add_tiled_noise(rig, optics->light, noise_row + y, noise_column, width);
        if (hot)
            add_hot(optics->light, hot + sensor, width);
        quantise(optics->light, optics->levels, width, format_depth(optics->format));
        pack_row(optics->format, optics->levels, width, out + y * row_bytes);
    }
}
