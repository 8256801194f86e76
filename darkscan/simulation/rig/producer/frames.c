/* Frames of an area camera and blocks of a line camera: numbered, filled, delivered or lost. */
#include <string.h>

#include "producer.h"

/* The next frame or block takes its number, and a buffer if there is one. */
static void begin(struct camera *camera, const struct shot *shot)
{
    struct rig *rig = camera->rig;
    uint64_t number = camera->number++;
    camera->buffer = NULL;
    camera->incomplete = false;
    if (rig) {
        rig_store(&rig->frames, rig->frames + 1);
        if (rig_take(&rig->drop_asked, &rig->drop_done))
            return;
    }
    camera->buffer = stream_take(&camera->device->stream, camera->layout.payload);
    if (!camera->buffer) {
        if (rig)
            rig_store(&rig->underruns, rig->underruns + 1);
        return;
    }
    if (rig)
        camera->incomplete = rig_take(&rig->incomplete_asked, &rig->incomplete_done);
    camera->buffer->layout = camera->layout;
    camera->buffer->number = number;
    camera->buffer->time_ns = shot->time_ns;
}

static void put_chunk(struct camera *camera, enum chunk chunk, uint32_t row, int64_t value)
{
    const struct layout *layout = &camera->layout;
    if (layout->chunk_at[chunk])
        memcpy(camera->buffer->base + layout->chunk_at[chunk] + row * sizeof value, &value,
               sizeof value);
}

static void finish(struct camera *camera)
{
    struct buffer *buffer = camera->buffer;
    if (!buffer)
        return;
    size_t half = camera->layout.image_bytes / 2;
    put_chunk(camera, CHUNK_FRAME_ID, 0, (int64_t)buffer->number);
    put_chunk(camera, CHUNK_COUNTER, 0, (int64_t)camera->counter);
    put_chunk(camera, CHUNK_LINES, 0, camera->words[TRIGGER_SOURCE].i == TRIGGER_LINE0);
    if (camera->incomplete)
        memset(buffer->base + half, 0, camera->layout.image_bytes - half);
    buffer->incomplete = camera->incomplete;
    buffer->filled = camera->incomplete ? half : camera->layout.payload;
    camera->buffer = NULL;
    stream_deliver(&camera->device->stream, buffer);
}

void take_frame(struct camera *camera, const struct shot *shot)
{
    begin(camera, shot);
    if (!camera->buffer)
        return;
    const struct layout *layout = &camera->layout;
    expose(&camera->optics, shot->position, camera->number - 1, 0, layout->height,
           layout->row_bytes, camera->buffer->base);
    put_chunk(camera, CHUNK_TIMESTAMP, 0, shot->time_ns);
    put_chunk(camera, CHUNK_ENCODER, 0, shot->encoder);
    finish(camera);
}

void take_line(struct camera *camera, const struct shot *shot)
{
    const struct layout *layout = &camera->layout;
    uint32_t row = camera->row;
    if (row == 0)
        begin(camera, shot);
    if (camera->rig)
        rig_store(&camera->rig->lines, camera->rig->lines + 1);
    camera->row = row + 1 < layout->height ? row + 1 : 0;
    if (!camera->buffer)
        return;
    expose(&camera->optics, shot->position, camera->number - 1, row, 1, layout->row_bytes,
           camera->buffer->base + row * layout->row_bytes);
    put_chunk(camera, CHUNK_TIMESTAMP, row, shot->time_ns);
    put_chunk(camera, CHUNK_ENCODER, row, shot->encoder);
    if (camera->row == 0)
        finish(camera);
}
