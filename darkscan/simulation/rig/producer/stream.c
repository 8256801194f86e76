/* The data stream: buffers wait to be filled, and to be fetched. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "producer.h"

void stream_init(struct stream *stream, struct device *device)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    stream->module = (struct module){STREAM, "Stream0", "StreamPort", &stream_xml};
    stream->event.module.kind = EVENT;
    stream->event.stream = stream;
    stream->device = device;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->arrived, &monotonic);
}

void stream_shut(struct stream *stream)
{
    stream->is_open = stream->grabbing = stream->event.registered = false;
    stream->input = stream->output = (struct queue){0};
    while (stream->announced) {
        struct buffer *buffer = stream->announced;
        stream->announced = buffer->next_announced;
        if (buffer->ours)
            free(buffer->base);
        free(buffer);
    }
    stream->announced_count = 0;
}

void queue_push(struct queue *queue, struct buffer *buffer)
{
    buffer->next = NULL;
    if (queue->last)
        queue->last->next = buffer;
    else
        queue->first = buffer;
    queue->last = buffer;
    queue->length++;
}

struct buffer *queue_pop(struct queue *queue)
{
    struct buffer *buffer = queue->first;
    if (!buffer)
        return NULL;
    queue->first = buffer->next;
    if (!queue->first)
        queue->last = NULL;
    queue->length--;
    return buffer;
}

static void empty(struct queue *from, struct queue *to, enum buffer_state state)
{
    for (struct buffer *buffer; (buffer = queue_pop(from));) {
        buffer->state = state;
        if (to)
            queue_push(to, buffer);
    }
}

struct buffer *stream_take(struct stream *stream, size_t size)
{
    pthread_mutex_lock(&stream->lock);
    struct buffer *buffer = stream->grabbing ? queue_pop(&stream->input) : NULL;
    if (buffer && buffer->size < size) { /* announced for a smaller picture */
        queue_push(&stream->input, buffer);
        buffer = NULL;
    }
    if (buffer) {
        buffer->state = FILLING;
        stream->started++;
    } else {
        stream->underruns++;
    }
    pthread_mutex_unlock(&stream->lock);
    return buffer;
}

void stream_deliver(struct stream *stream, struct buffer *buffer)
{
    pthread_mutex_lock(&stream->lock);
    buffer->state = READY;
    buffer->new_data = true;
    queue_push(&stream->output, buffer);
    stream->delivered++;
    pthread_cond_signal(&stream->arrived);
    pthread_mutex_unlock(&stream->lock);
}

void stream_give_back(struct stream *stream, struct buffer *buffer)
{
    pthread_mutex_lock(&stream->lock);
    buffer->state = QUEUED;
    queue_push(&stream->input, buffer);
    pthread_mutex_unlock(&stream->lock);
}

static struct stream *opened(HANDLE handle)
{
    struct stream *stream = module_of(handle, STREAM);
    return stream && stream->is_open ? stream : NULL;
}

GC_API DSClose(HANDLE handle)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    camera_stop(&stream->device->camera);
    stream_shut(stream);
    return GC_ERR_SUCCESS;
}

GC_API DSStartAcquisition(HANDLE handle, INFO_CMD flags, uint64_t frames)
{
    (void)flags, (void)frames;
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    stream->grabbing = true;
    return GC_ERR_SUCCESS;
}

GC_API DSStopAcquisition(HANDLE handle, INFO_CMD flags)
{
    (void)flags;
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    camera_stop(&stream->device->camera); /* so that no buffer is being filled any more */
    stream->grabbing = false;
    return GC_ERR_SUCCESS;
}

GC_API DSFlushQueue(HANDLE handle, INFO_CMD operation)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    GC_ERROR result = GC_ERR_SUCCESS;
    struct camera *camera = &stream->device->camera;
    pthread_mutex_lock(&camera->taking); /* a buffer being filled is flushed, too */
    camera_give_back(camera);
    pthread_mutex_lock(&stream->lock);
    switch (operation) {
    case ACQ_QUEUE_INPUT_TO_OUTPUT:
        empty(&stream->input, &stream->output, READY);
        break;
    case ACQ_QUEUE_OUTPUT_DISCARD:
        empty(&stream->output, NULL, IDLE);
        break;
    case ACQ_QUEUE_ALL_TO_INPUT:
        empty(&stream->output, &stream->input, QUEUED);
        /* fall through */
    case ACQ_QUEUE_UNQUEUED_TO_INPUT:
        for (struct buffer *buffer = stream->announced; buffer; buffer = buffer->next_announced)
            if (buffer->state == IDLE) {
                buffer->state = QUEUED;
                queue_push(&stream->input, buffer);
            }
        break;
    case ACQ_QUEUE_ALL_DISCARD:
        empty(&stream->input, NULL, IDLE);
        empty(&stream->output, NULL, IDLE);
        break;
    default:
        result = fail(GC_ERR_INVALID_PARAMETER, "no such queue operation");
    }
    pthread_mutex_unlock(&stream->lock);
    pthread_mutex_unlock(&camera->taking);
    return result;
}

static GC_ERROR info(struct stream *stream, INFO_CMD what, INFO_DATATYPE *type, void *buffer,
                     size_t *size)
{
    switch (what) {
    case STREAM_INFO_ID:
        return give_text(stream->module.id, type, buffer, size);
    case STREAM_INFO_NUM_DELIVERED:
        return give_uint64(stream->delivered, type, buffer, size);
    case STREAM_INFO_NUM_UNDERRUN:
        return give_uint64(stream->underruns, type, buffer, size);
    case STREAM_INFO_NUM_ANNOUNCED:
        return give_size(stream->announced_count, type, buffer, size);
    case STREAM_INFO_NUM_QUEUED:
        return give_size(stream->input.length, type, buffer, size);
    case STREAM_INFO_NUM_AWAIT_DELIVERY:
        return give_size(stream->output.length, type, buffer, size);
    case STREAM_INFO_NUM_STARTED:
        return give_uint64(stream->started, type, buffer, size);
    case STREAM_INFO_PAYLOAD_SIZE:
        return give_size(camera_layout(&stream->device->camera).payload, type, buffer, size);
    case STREAM_INFO_IS_GRABBING:
        return give_bool(stream->grabbing, type, buffer, size);
    case STREAM_INFO_DEFINES_PAYLOADSIZE:
        return give_bool(false, type, buffer, size);
    case STREAM_INFO_TLTYPE:
        return give_text(TLTYPE, type, buffer, size);
    case STREAM_INFO_NUM_CHUNKS_MAX:
        return give_size(CHUNKS + 1, type, buffer, size);
    case STREAM_INFO_BUF_ANNOUNCE_MIN:
        return give_size(1, type, buffer, size);
    case STREAM_INFO_BUF_ALIGNMENT:
        return give_size(1, type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}

GC_API DSGetInfo(HANDLE handle, INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    pthread_mutex_lock(&stream->lock);
    GC_ERROR result = info(stream, what, type, buffer, size);
    pthread_mutex_unlock(&stream->lock);
    return result;
}

GC_API DSGetParentDev(HANDLE handle, HANDLE *device)
{
    struct stream *stream = opened(handle);
    if (!stream)
        return fail(GC_ERR_INVALID_HANDLE, "no open stream");
    *device = stream->device;
    return GC_ERR_SUCCESS;
}
