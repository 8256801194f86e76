/* The registers behind the camera's nodes. */
#include "registers.h"

#include <string.h>

#include "producer.h"

#define WIDTH_STEP 4 /* the narrowest that packs into whole bytes in every format */
#define AREA_SIDE 4096
#define LINE_WIDTH 16384
#define LINE_BLOCK 65536

static int64_t whole(int64_t value, int64_t step) { return value / step * step; }

void registers_reset(struct camera *camera)
{
    union word *words = camera->words;
    const struct rig *rig = camera->rig;
    bool line = camera->kind == LINE;
    memset(camera->words, 0, sizeof camera->words);
    words[WIDTH_MAX].i = whole(rig    ? (int64_t)rig->sensor_width
                               : line ? LINE_WIDTH
                                      : AREA_SIDE,
                               WIDTH_STEP);
    words[HEIGHT_MAX].i = line ? LINE_BLOCK : rig ? (int64_t)rig->sensor_height : AREA_SIDE;
    words[WIDTH].i = words[WIDTH_MAX].i;
    words[HEIGHT].i = line ? 512 : words[HEIGHT_MAX].i;
    words[PIXEL_FORMAT].i = MONO8;
    words[ACQUISITION_RATE].f = line ? 10000.0 : 10.0;
    words[EXPOSURE_MODE].i = 1; /* Timed */
    words[EXPOSURE_TIME].f = line ? 10.0 : 1000.0;
    words[TRIGGER_SOURCE].i = line ? TRIGGER_ENCODER0 : TRIGGER_SOFTWARE_SOURCE;
    words[ENCODER_DIVIDER].i = 1;
    words[ENCODER_OUTPUT_MODE].i = POSITION_UP;
}

struct layout camera_layout(const struct camera *camera)
{
    const union word *words = camera->words;
    struct layout layout = {
        .width = (uint32_t)words[WIDTH].i,
        .height = (uint32_t)words[HEIGHT].i,
        .offset_x = (uint32_t)words[OFFSET_X].i,
        .offset_y = (uint32_t)words[OFFSET_Y].i,
        .format = (uint32_t)words[PIXEL_FORMAT].i,
    };
    layout.row_bytes = (size_t)layout.width * format_bits(layout.format) / 8;
    layout.image_bytes = layout.row_bytes * layout.height;
    layout.payload = layout.image_bytes;
    if (!words[CHUNK_MODE_ACTIVE].i)
        return layout;
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        if (!words[CHUNK_ENABLE + chunk].i)
            continue;
        bool each_line =
            camera->kind == LINE && (chunk == CHUNK_TIMESTAMP || chunk == CHUNK_ENCODER);
        layout.chunk_at[chunk] = (layout.payload + 7) / 8 * 8;
        layout.chunk_bytes[chunk] = each_line ? sizeof(int64_t) * layout.height : sizeof(int64_t);
        layout.payload = layout.chunk_at[chunk] + layout.chunk_bytes[chunk];
        layout.chunks++;
    }
    return layout;
}

static int64_t current(struct camera *camera, enum reg reg)
{
    double position[3] = {0};
    switch (reg) {
    case PAYLOAD_SIZE:
        return (int64_t)camera_layout(camera).payload;
    case COUNTER_VALUE:
        return (int64_t)camera->counter;
    case ENCODER_VALUE:
        if (camera->rig)
            rig_position(camera->rig, now_ns(), position);
        return encoder_count(camera, position);
    default:
        return camera->words[reg].i;
    }
}

static GC_ERROR read_text(const struct camera *camera, uint64_t at, void *buffer, size_t size)
{
    const char *texts[] = {VENDOR, device_model(camera->device), camera->device->module.id,
                           VERSION};
    char page[sizeof texts / sizeof *texts * TEXT_BYTES] = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        strncpy(page + i * TEXT_BYTES, texts[i], TEXT_BYTES - 1);
    if (at + size > sizeof page)
        return fail(GC_ERR_INVALID_ADDRESS, "no such register");
    memcpy(buffer, page + at, size);
    return GC_ERR_SUCCESS;
}

GC_ERROR registers_read(struct camera *camera, uint64_t address, void *buffer, size_t size)
{
    if (address >= TEXTS_AT)
        return read_text(camera, address - TEXTS_AT, buffer, size);
    uint64_t at = address - REGISTERS_AT;
    if (address < REGISTERS_AT || at % 8 || at / 8 >= REGISTER_WORDS || size != 8)
        return fail(GC_ERR_INVALID_ADDRESS, "no such register");
    pthread_mutex_lock(&camera->lock);
    int64_t value = current(camera, at / 8);
    pthread_mutex_unlock(&camera->lock);
    memcpy(buffer, &value, sizeof value);
    return GC_ERR_SUCCESS;
}

static bool is_shape(enum reg reg)
{
    return (reg >= WIDTH && reg <= PIXEL_FORMAT) || reg == CHUNK_MODE_ACTIVE || reg >= CHUNK_ENABLE;
}

/* Whether the camera takes a value; the nodes' limits say so first. */
static bool is_right(const struct camera *camera, enum reg reg, union word value)
{
    const union word *words = camera->words;
    switch (reg) {
    case WIDTH:
        return value.i > 0 && value.i % WIDTH_STEP == 0 &&
               value.i + words[OFFSET_X].i <= words[WIDTH_MAX].i;
    case HEIGHT:
        return value.i > 0 && value.i + words[OFFSET_Y].i <= words[HEIGHT_MAX].i;
    case OFFSET_X:
        return value.i >= 0 && value.i % WIDTH_STEP == 0 &&
               value.i + words[WIDTH].i <= words[WIDTH_MAX].i;
    case OFFSET_Y:
        return value.i >= 0 && value.i + words[HEIGHT].i <= words[HEIGHT_MAX].i;
    case PIXEL_FORMAT:
        return format_depth((uint32_t)value.i) > 0;
    case ACQUISITION_RATE:
        return value.f > 0.0;
    case ENCODER_DIVIDER:
        return value.i > 0;
    case WIDTH_MAX:
    case HEIGHT_MAX:
    case PAYLOAD_SIZE:
    case ENCODER_VALUE:
    case COUNTER_VALUE:
    case TIMESTAMP_LATCH_VALUE:
        return false;
    default:
        return true;
    }
}

/* Commands that wait for the camera's thread, which needs the lock. */
static bool is_for_the_thread(struct camera *camera, enum reg reg)
{
    switch (reg) {
    case ACQUISITION_START:
        camera_start(camera);
        return true;
    case ACQUISITION_STOP:
        camera_stop(camera);
        return true;
    case ENCODER_RESET:
        pthread_mutex_lock(&camera->taking);
        encoder_reset(camera);
        pthread_mutex_unlock(&camera->taking);
        return true;
    default:
        return false;
    }
}

static void set(struct camera *camera, enum reg reg, union word value)
{
    switch (reg) {
    case TRIGGER_SOFTWARE:
        fire_software_trigger(camera);
        break;
    case COUNTER_RESET:
        camera->counter = 0;
        break;
    case TIMESTAMP_LATCH:
        camera->words[TIMESTAMP_LATCH_VALUE].i = now_ns();
        break;
    case USER_SET_LOAD:
        registers_reset(camera);
        break;
    default:
        camera->words[reg] = value;
    }
}

GC_ERROR registers_write(struct camera *camera, uint64_t address, const void *buffer, size_t size)
{
    uint64_t at = address - REGISTERS_AT;
    if (address < REGISTERS_AT || at % 8 || at / 8 >= REGISTER_WORDS || size != 8)
        return fail(GC_ERR_INVALID_ADDRESS, "no such register");
    enum reg reg = at / 8;
    union word value;
    memcpy(&value, buffer, sizeof value);
    if (is_for_the_thread(camera, reg))
        return GC_ERR_SUCCESS;
    pthread_mutex_lock(&camera->lock);
    GC_ERROR result = GC_ERR_SUCCESS;
    if (camera->acquiring && (is_shape(reg) || reg == USER_SET_LOAD))
        result = fail(GC_ERR_ACCESS_DENIED, "the register is locked during acquisition");
    else if (!is_right(camera, reg, value))
        result = fail(GC_ERR_INVALID_VALUE, "the register does not take that value");
    else
        set(camera, reg, value);
    pthread_mutex_unlock(&camera->lock);
    return result;
}
