/* The camera at work: a thread that takes what is due about every millisecond. */
#include "camera.h"

#include <time.h>

#include "producer.h"

#define NAP_NS 1000000

int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void camera_init(struct camera *camera, struct device *device, enum camera_kind kind,
                 struct rig *rig)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    camera->kind = kind;
    camera->device = device;
    camera->rig = rig;
    pthread_mutex_init(&camera->lock, NULL);
    pthread_mutex_init(&camera->taking, NULL);
    pthread_cond_init(&camera->wake, &monotonic);
    registers_reset(camera);
}

static void nap(struct camera *camera)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += NAP_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&camera->lock);
    if (camera->acquiring && camera->software_seen == camera->software_fired)
        pthread_cond_timedwait(&camera->wake, &camera->lock, &until);
    pthread_mutex_unlock(&camera->lock);
}

static void *work(void *argument)
{
    struct camera *camera = argument;
    while (camera->acquiring) {
        pthread_mutex_lock(&camera->taking);
        if (!device_is_gone(camera->device))
            take_due(camera);
        pthread_mutex_unlock(&camera->taking);
        nap(camera);
    }
    return NULL;
}

void camera_start(struct camera *camera)
{
    if (camera->acquiring)
        return;
    struct layout layout = camera_layout(camera);
    camera->layout = layout;
    camera->number = 0;
    camera->row = 0;
    camera->buffer = NULL;
    if (!optics_begin(&camera->optics, camera->rig, layout.format, layout.width, layout.offset_x,
                      layout.offset_y))
        return;
    triggers_begin(camera);
    encoder_begin(camera);
    camera->acquiring = true;
    if (pthread_create(&camera->thread, NULL, work, camera) != 0) {
        camera->acquiring = false;
        optics_end(&camera->optics);
        return;
    }
    if (camera->rig)
        rig_store(&camera->rig->acquiring, 1);
}

void camera_stop(struct camera *camera)
{
    pthread_mutex_lock(&camera->lock);
    bool was_acquiring = camera->acquiring;
    camera->acquiring = false;
    pthread_cond_signal(&camera->wake);
    pthread_mutex_unlock(&camera->lock);
    if (!was_acquiring)
        return;
    pthread_join(camera->thread, NULL);
    camera_give_back(camera);
    optics_end(&camera->optics);
    if (camera->rig) {
        rig_store(&camera->rig->triggers_seen, camera->triggers_seen);
        rig_store(&camera->rig->acquiring, 0);
    }
}

void camera_give_back(struct camera *camera)
{
    if (camera->buffer)
        stream_give_back(&camera->device->stream, camera->buffer);
    camera->buffer = NULL;
}
