/* A simulated camera: its registers, what makes it take a frame or line, and its pixels. */
#ifndef CAMERA_H
#define CAMERA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "gentl.h"
#include "layout.h"
#include "pixels.h"
#include "registers.h"
#include "rig.h"

enum camera_kind { AREA, LINE };

#define SOFTWARE_TRIGGERS 256

/* A frame or line to be taken: when, where, and what the encoder said. */
struct shot {
    int64_t time_ns;
    double position[3];
    int64_t encoder;
};

struct camera {
    enum camera_kind kind;
    struct device *device;
    struct rig *rig; /* NULL: test pattern */
    union word words[REGISTER_WORDS];
    pthread_mutex_t lock; /* of registers and software triggers */

    pthread_t thread;
    pthread_cond_t wake;
    _Atomic bool acquiring;

    /* The encoder. */
    double encoder_zero[3]; /* where it was reset */
    double phase;           /* edges since then, with a fraction; an edge is a divider's counts */
    double furthest;        /* edge, in the direction that counts, for PositionUp and Down */
    uint64_t moves_seen;
    struct moment here; /* the last of them, or where it was reset since */
    uint64_t counts_to_skip;

    /* Triggers. */
    struct moment software[SOFTWARE_TRIGGERS];
    uint64_t software_fired, software_seen;
    uint64_t triggers_seen; /* of the rig */
    uint64_t counter;       /* triggers from the active source since the start */
    int64_t run_ns;         /* since when it runs freely; 0: not yet */
    double due_ns;          /* from then to the next frame or line */

    /* The frame or block under way. */
    pthread_mutex_t taking; /* held while shots are taken; comes before `lock` */
    struct layout layout;
    struct optics optics;
    struct buffer *buffer;
    bool incomplete;
    uint64_t number; /* of the next one */
    uint32_t row;    /* of a line camera's block */
};

void camera_init(struct camera *camera, struct device *device, enum camera_kind kind,
                 struct rig *rig);
void camera_start(struct camera *camera);
void camera_stop(struct camera *camera);
/* Puts the buffer being filled back into the input queue; its frame is lost. For who holds
 * the camera's `taking`, or has stopped it. */
void camera_give_back(struct camera *camera);

/* registers.c */
void registers_reset(struct camera *camera);
GC_ERROR registers_read(struct camera *camera, uint64_t address, void *buffer, size_t size);
GC_ERROR registers_write(struct camera *camera, uint64_t address, const void *buffer, size_t size);
struct layout camera_layout(const struct camera *camera);

/* triggers.c: takes all shots that are due. */
void take_due(struct camera *camera);
void triggers_begin(struct camera *camera);
void fire_software_trigger(struct camera *camera);

/* encoder.c */
void encoder_begin(struct camera *camera);
void encoder_reset(struct camera *camera);
int64_t encoder_count(const struct camera *camera, const double position[3]);
void take_encoder_lines(struct camera *camera);

/* frames.c */
void take_frame(struct camera *camera, const struct shot *shot);
void take_line(struct camera *camera, const struct shot *shot);
static inline void take(struct camera *camera, const struct shot *shot)
{
    camera->kind == AREA ? take_frame(camera, shot) : take_line(camera, shot);
}

int64_t now_ns(void);

#endif
