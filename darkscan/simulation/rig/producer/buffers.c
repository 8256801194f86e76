/* Buffers of the data stream: announcing, queueing, what they hold. */
#include <stdlib.h>

#include "producer.h"

static struct stream *opened(HANDLE handle)
{
    struct stream *stream = module_of(handle, STREAM);
    return stream && stream->is_open ? stream : NULL;
}

static struct buffer *announced(struct stream *stream, BUFFER_HANDLE handle)
{
    struct buffer *buffer = stream->announced;
    while (buffer && buffer != handle)
        buffer = buffer->next_announced;
    return buffer;
}

static GC_ERROR announce(HANDLE handle, void *base, size_t size, void *user, bool ours,
                         BUFFER_HANDLE *announced)
{
    struct stream *stream = opened(handle);
    struct buffer *buffer = stream ? calloc(1, sizeof *buffer) : NULL;
    if (!buffer) {
        if (ours)
            free(base);
        return stream ? fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer")
                      : fail(GC_ERR_INVALID_HANDLE, "no open stream");
    }
    buffer->base = base;
    buffer->size = size;
    buffer->user = user;
    buffer->ours = ours;
    pthread_mutex_lock(&stream->lock);
    struct buffer **end = &stream->announced; /* in the order of announcement */
    while (*end)
        end = &(*end)->next_announced;
    *end = buffer;
    stream->announced_count++;
    pthread_mutex_unlock(&stream->lock);
    *announced = buffer;
    return GC_ERR_SUCCESS;
}

GC_API DSAnnounceBuffer(HANDLE handle, void *base, size_t size, void *user, BUFFER_HANDLE *buffer)
{
    if (!base || !size)
        return fail(GC_ERR_INVALID_PARAMETER, "a buffer needs memory");
    return announce(handle, base, size, user, false, buffer);
}

GC_API DSAllocAndAnnounceBuffer(HANDLE handle, size_t size, void *user, BUFFER_HANDLE *buffer)
{
    void *base = calloc(1, size);
    if (!base)
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer");
    return announce(handle, base, size, user, true, buffer);
}

GC_API DSQueueBuffer(HANDLE handle, BUFFER_HANDLE which)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    pthread_mutex_lock(&stream->lock);
    struct buffer *buffer = announced(stream, which);
    bool idle = buffer && buffer->state == IDLE;
    if (idle) {
        buffer->state = QUEUED;
        buffer->new_data = false;
        queue_push(&stream->input, buffer);
    }
    pthread_mutex_unlock(&stream->lock);
    if (!buffer)
        return fail(GC_ERR_INVALID_HANDLE, "no such buffer");
    return idle ? GC_ERR_SUCCESS : fail(GC_ERR_RESOURCE_IN_USE, "the buffer is queued already");
}

GC_API DSRevokeBuffer(HANDLE handle, BUFFER_HANDLE which, void **base, void **user)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    pthread_mutex_lock(&stream->lock);
    struct buffer **link = &stream->announced;
    while (*link && *link != which)
        link = &(*link)->next_announced;
    struct buffer *buffer = *link;
    bool idle = buffer && buffer->state == IDLE;
    if (idle) {
        *link = buffer->next_announced;
        stream->announced_count--;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!buffer)
        return fail(GC_ERR_INVALID_HANDLE, "no such buffer");
    if (!idle)
        return fail(GC_ERR_BUSY, "the buffer is in a queue");
    if (base)
        *base = buffer->ours ? NULL : buffer->base;
    if (user)
        *user = buffer->user;
    if (buffer->ours)
        free(buffer->base);
    free(buffer);
    return GC_ERR_SUCCESS;
}

GC_API DSGetBufferID(HANDLE handle, uint32_t index, BUFFER_HANDLE *which)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    struct buffer *buffer = stream->announced;
    while (buffer && index--)
        buffer = buffer->next_announced;
    *which = buffer;
    return buffer ? GC_ERR_SUCCESS : fail(GC_ERR_INVALID_INDEX, "no such buffer");
}

static GC_ERROR info(const struct buffer *it, INFO_CMD what, INFO_DATATYPE *type, void *buffer,
                     size_t *size)
{
    const struct layout *layout = &it->layout;
    switch (what) {
    case BUFFER_INFO_BASE:
        return give_pointer(it->base, type, buffer, size);
    case BUFFER_INFO_SIZE:
        return give_size(it->size, type, buffer, size);
    case BUFFER_INFO_USER_PTR:
        return give_pointer(it->user, type, buffer, size);
    case BUFFER_INFO_TIMESTAMP:
    case BUFFER_INFO_TIMESTAMP_NS:
        return give_uint64((uint64_t)it->time_ns, type, buffer, size);
    case BUFFER_INFO_NEW_DATA:
        return give_bool(it->new_data, type, buffer, size);
    case BUFFER_INFO_IS_QUEUED:
        return give_bool(it->state == QUEUED, type, buffer, size);
    case BUFFER_INFO_IS_ACQUIRING:
        return give_bool(it->state == FILLING, type, buffer, size);
    case BUFFER_INFO_IS_INCOMPLETE:
        return give_bool(it->incomplete, type, buffer, size);
    case BUFFER_INFO_TLTYPE:
        return give_text(TLTYPE, type, buffer, size);
    case BUFFER_INFO_SIZE_FILLED:
    case BUFFER_INFO_DATA_SIZE:
        return give_size(it->filled, type, buffer, size);
    case BUFFER_INFO_WIDTH:
        return give_size(layout->width, type, buffer, size);
    case BUFFER_INFO_HEIGHT:
    case BUFFER_INFO_DELIVERED_IMAGEHEIGHT:
        return give_size(layout->height, type, buffer, size);
    case BUFFER_INFO_XOFFSET:
        return give_size(layout->offset_x, type, buffer, size);
    case BUFFER_INFO_YOFFSET:
        return give_size(layout->offset_y, type, buffer, size);
    case BUFFER_INFO_XPADDING:
    case BUFFER_INFO_YPADDING:
    case BUFFER_INFO_IMAGEOFFSET:
        return give_size(0, type, buffer, size);
    case BUFFER_INFO_FRAMEID:
        return give_uint64(it->number, type, buffer, size);
    case BUFFER_INFO_IMAGEPRESENT:
        return give_bool(true, type, buffer, size);
    case BUFFER_INFO_PAYLOADTYPE:
        return give_size(PAYLOAD_TYPE_IMAGE, type, buffer, size);
    case BUFFER_INFO_PIXELFORMAT:
        return give_uint64(layout->format, type, buffer, size);
    case BUFFER_INFO_PIXELFORMAT_NAMESPACE:
        return give_uint64(PIXELFORMAT_NAMESPACE_PFNC_32BIT, type, buffer, size);
    case BUFFER_INFO_PIXEL_ENDIANNESS:
        return give_int32(PIXELENDIANNESS_LITTLE, type, buffer, size);
    case BUFFER_INFO_DELIVERED_CHUNKPAYLOADSIZE:
        return give_size(layout->payload - layout->image_bytes, type, buffer, size);
    case BUFFER_INFO_DATA_LARGER_THAN_BUFFER:
        return give_bool(false, type, buffer, size);
    case BUFFER_INFO_CONTAINS_CHUNKDATA:
        return give_bool(layout->chunks > 0, type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}

GC_API DSGetBufferInfo(HANDLE handle, BUFFER_HANDLE which, INFO_CMD what, INFO_DATATYPE *type,
                       void *buffer, size_t *size)
{
    struct stream *stream = opened(handle);
    struct buffer *it = stream ? announced(stream, which) : NULL;
    if (!it)
        return fail(GC_ERR_INVALID_HANDLE, "no such buffer");
    return info(it, what, type, buffer, size);
}

GC_API DSGetBufferInfoStacked(HANDLE handle, BUFFER_HANDLE which, DS_BUFFER_INFO_STACKED *asked,
                              size_t count)
{
    struct stream *stream = opened(handle);
    struct buffer *it = stream ? announced(stream, which) : NULL;
    if (!it)
        return fail(GC_ERR_INVALID_HANDLE, "no such buffer");
    GC_ERROR result = GC_ERR_SUCCESS;
    for (size_t i = 0; i < count; i++) {
        INFO_DATATYPE type;
        size_t size = asked[i].iSize;
        asked[i].iResult = info(it, asked[i].iInfoCmd, &type, asked[i].pBuffer, &size);
        asked[i].iType = type;
        asked[i].iSize = size;
        if (asked[i].iResult != GC_ERR_SUCCESS)
            result = asked[i].iResult;
    }
    return result;
}

GC_API DSGetBufferChunkData(HANDLE handle, BUFFER_HANDLE which, SINGLE_CHUNK_DATA *chunks,
                            size_t *count)
{
    struct stream *stream = opened(handle);
    struct buffer *it = stream ? announced(stream, which) : NULL;
    if (!it)
        return fail(GC_ERR_INVALID_HANDLE, "no such buffer");
    size_t room = *count, held = it->layout.chunks;
    *count = held;
    if (!chunks)
        return GC_ERR_SUCCESS;
    if (room < held)
        return fail(GC_ERR_BUFFER_TOO_SMALL, "there are more chunks");
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        if (it->layout.chunk_at[chunk])
            *chunks++ = (SINGLE_CHUNK_DATA){CHUNK_ID + chunk, it->layout.chunk_at[chunk],
                                            it->layout.chunk_bytes[chunk]};
    return GC_ERR_SUCCESS;
}
