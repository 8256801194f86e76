/* The data stream: buffers that are announced, queued, filled and delivered. */
#ifndef STREAM_H
#define STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "module.h"

enum buffer_state { IDLE, QUEUED, FILLING, READY };

struct buffer {
    uint8_t *base;
    size_t size;
    void *user;
    bool ours; /* allocated by us */
    enum buffer_state state;
    struct buffer *next_announced;
    struct buffer *next; /* in the queue it stands in */

    /* What it was last filled with. */
    struct layout layout;
    uint64_t number;
    int64_t time_ns;
    size_t filled;
    bool incomplete;
    bool new_data;
};

struct queue {
    struct buffer *first, *last;
    size_t length;
};

struct stream {
    struct module module;
    struct device *device;
    bool is_open;
    bool grabbing;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t arrived;
    struct buffer *announced;
    size_t announced_count;
    struct queue input, output;
    uint64_t delivered, underruns, started;
    struct event {
        struct module module;
        struct stream *stream;
        bool registered, killed;
    } event; /* a new buffer */
};

void stream_init(struct stream *stream, struct device *device);
void stream_shut(struct stream *stream);

void queue_push(struct queue *queue, struct buffer *buffer);
struct buffer *queue_pop(struct queue *queue);

/* For the camera: a free buffer of at least that size to fill, or NULL, counted as underrun. */
struct buffer *stream_take(struct stream *stream, size_t size);
/* The buffer is filled: to the output. */
void stream_deliver(struct stream *stream, struct buffer *buffer);
/* The buffer is not to be delivered after all: back to the input. */
void stream_give_back(struct stream *stream, struct buffer *buffer);

#endif
