/* Events: a new buffer is the only one there is. */
#include <errno.h>
#include <time.h>

#include "producer.h"

GC_API GCRegisterEvent(HANDLE source, INFO_CMD what, EVENT_HANDLE *event)
{
    struct stream *stream = module_of(source, STREAM);
    if (!stream || what != EVENT_NEW_BUFFER)
        return fail(GC_ERR_NOT_IMPLEMENTED, "streams have new-buffer events, nothing else");
    if (stream->event.registered)
        return fail(GC_ERR_RESOURCE_IN_USE, "the event is registered already");
    stream->event.registered = true;
    stream->event.killed = false;
    *event = &stream->event;
    return GC_ERR_SUCCESS;
}

GC_API GCUnregisterEvent(HANDLE source, INFO_CMD what)
{
    struct stream *stream = module_of(source, STREAM);
    if (!stream || what != EVENT_NEW_BUFFER || !stream->event.registered)
        return fail(GC_ERR_INVALID_PARAMETER, "no such event is registered");
    stream->event.registered = false;
    return GC_ERR_SUCCESS;
}

static struct timespec after(uint64_t milliseconds)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += milliseconds / 1000;
    time.tv_nsec += (milliseconds % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

/* What there is to say instead of a buffer; the stream's lock is held. */
static GC_ERROR nothing(struct stream *stream, bool late)
{
    if (stream->event.killed) {
        stream->event.killed = false;
        return fail(GC_ERR_ABORT, "waiting was ended");
    }
    if (device_is_gone(stream->device))
        return fail(GC_ERR_IO, "the camera is gone");
    return late ? fail(GC_ERR_TIMEOUT, "no buffer came in time") : GC_ERR_SUCCESS;
}

GC_API EventGetData(EVENT_HANDLE handle, void *data, size_t *size, uint64_t timeout_ms)
{
    struct event *event = module_of(handle, EVENT);
    if (!event || !event->registered)
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    if (!size || !data || *size < sizeof(EVENT_NEW_BUFFER_DATA))
        return fail(GC_ERR_BUFFER_TOO_SMALL, "no room for a new buffer's handle");
    const uint64_t longest = 1000ULL * 3600 * 24 * 365;
    struct timespec deadline = after(timeout_ms < longest ? timeout_ms : longest);
    struct stream *stream = event->stream;
    GC_ERROR result = GC_ERR_SUCCESS;
    bool late = timeout_ms == 0;

    pthread_mutex_lock(&stream->lock);
    while (!stream->output.first && (result = nothing(stream, late)) == GC_ERR_SUCCESS)
        late = pthread_cond_timedwait(&stream->arrived, &stream->lock, &deadline) == ETIMEDOUT;
    if (stream->output.first) {
        struct buffer *buffer = queue_pop(&stream->output);
        buffer->state = IDLE;
        *(EVENT_NEW_BUFFER_DATA *)data = (EVENT_NEW_BUFFER_DATA){buffer, buffer->user};
        *size = sizeof(EVENT_NEW_BUFFER_DATA);
        result = GC_ERR_SUCCESS;
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

GC_API EventGetDataInfo(EVENT_HANDLE handle, const void *data, size_t data_size, INFO_CMD what,
                        INFO_DATATYPE *type, void *buffer, size_t *size)
{
    (void)handle, (void)data, (void)data_size, (void)what;
    (void)type, (void)buffer, (void)size;
    return fail(GC_ERR_NOT_AVAILABLE, "a new-buffer event holds two pointers, nothing else");
}

GC_API EventGetInfo(EVENT_HANDLE handle, INFO_CMD what, INFO_DATATYPE *type, void *buffer,
                    size_t *size)
{
    struct event *event = module_of(handle, EVENT);
    if (!event)
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    switch (what) {
    case EVENT_EVENT_TYPE:
        return give_int32(EVENT_NEW_BUFFER, type, buffer, size);
    case EVENT_NUM_IN_QUEUE:
        return give_size(event->stream->output.length, type, buffer, size);
    case EVENT_NUM_FIRED:
        return give_uint64(event->stream->delivered, type, buffer, size);
    case EVENT_SIZE_MAX:
    case EVENT_INFO_DATA_SIZE_MAX:
        return give_size(sizeof(EVENT_NEW_BUFFER_DATA), type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}

GC_API EventFlush(EVENT_HANDLE handle)
{
    struct event *event = module_of(handle, EVENT);
    if (!event)
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    struct stream *stream = event->stream;
    pthread_mutex_lock(&stream->lock);
    for (struct buffer *buffer; (buffer = queue_pop(&stream->output));)
        buffer->state = IDLE;
    pthread_mutex_unlock(&stream->lock);
    return GC_ERR_SUCCESS;
}

GC_API EventKill(EVENT_HANDLE handle)
{
    struct event *event = module_of(handle, EVENT);
    if (!event)
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    pthread_mutex_lock(&event->stream->lock);
    event->killed = true;
    pthread_cond_broadcast(&event->stream->arrived);
    pthread_mutex_unlock(&event->stream->lock);
    return GC_ERR_SUCCESS;
}
