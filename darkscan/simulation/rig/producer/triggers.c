/* What makes the camera take a frame or a line. */
#include "producer.h"

#define RIG_LAG_NS 20000000  /* a free run waits until it is told where the axes were */
#define HOPELESS_NS 50000000 /* a free run that is further behind gives up keeping its rate */

void triggers_begin(struct camera *camera)
{
    struct rig *rig = camera->rig;
    camera->software_seen = camera->software_fired;
    camera->counter = 0;
    camera->run_ns = 0;
    if (!rig)
        return;
    camera->triggers_seen = rig_load(&rig->triggers_fired);
    rig_store(&rig->triggers_ignored,
              rig->triggers_ignored + camera->triggers_seen - rig->triggers_seen);
    rig_store(&rig->triggers_seen, camera->triggers_seen);
}

void fire_software_trigger(struct camera *camera)
{
    bool room = camera->software_fired - camera->software_seen < SOFTWARE_TRIGGERS;
    if (!camera->acquiring || !room) {
        if (camera->rig)
            rig_store(&camera->rig->triggers_ignored, camera->rig->triggers_ignored + 1);
        return;
    }
    struct moment moment = {.time_ns = now_ns()};
    if (camera->rig)
        rig_position(camera->rig, moment.time_ns, moment.position);
    camera->software[camera->software_fired++ % SOFTWARE_TRIGGERS] = moment;
    pthread_cond_signal(&camera->wake);
}

static void take_at(struct camera *camera, const struct moment *moment)
{
    struct shot shot = {.time_ns = moment->time_ns,
                        .encoder = encoder_count(camera, moment->position)};
    for (int axis = 0; axis < 3; axis++)
        shot.position[axis] = moment->position[axis];
    take(camera, &shot);
}

static void take_free_run(struct camera *camera)
{
    double step = 1e9 / camera->words[ACQUISITION_RATE].f;
    int64_t now = now_ns() - (camera->rig ? RIG_LAG_NS : 0);
    if (now - camera->run_ns > camera->due_ns + step + HOPELESS_NS) {
        camera->run_ns = now;
        camera->due_ns = 0.0;
    }
    for (; camera->due_ns <= now - camera->run_ns && camera->acquiring; camera->due_ns += step) {
        struct moment moment = {.time_ns = camera->run_ns + (int64_t)camera->due_ns};
        if (camera->rig)
            rig_position(camera->rig, moment.time_ns, moment.position);
        take_at(camera, &moment);
    }
}

static void take_software(struct camera *camera)
{
    for (;;) {
        pthread_mutex_lock(&camera->lock);
        bool any = camera->software_seen < camera->software_fired;
        struct moment moment = camera->software[camera->software_seen % SOFTWARE_TRIGGERS];
        if (any) {
            camera->software_seen++;
            camera->counter++;
        }
        pthread_mutex_unlock(&camera->lock);
        if (!any)
            return;
        take_at(camera, &moment);
    }
}

static void take_line0(struct camera *camera)
{
    struct rig *rig = camera->rig;
    if (!rig)
        return;
    for (uint64_t fired;
         camera->triggers_seen < (fired = rig_load(&rig->triggers_fired)) && camera->acquiring;) {
        uint64_t oldest = rig_oldest(fired);
        if (camera->triggers_seen < oldest) { /* too late for those before */
            rig_store(&rig->triggers_ignored,
                      rig->triggers_ignored + oldest - camera->triggers_seen);
            camera->counter += oldest - camera->triggers_seen;
            camera->triggers_seen = oldest;
        }
        struct moment moment = rig->triggers[camera->triggers_seen++ % RIG_RING];
        camera->counter++;
        take_at(camera, &moment);
    }
}

void take_due(struct camera *camera)
{
    if (!camera->words[TRIGGER_MODE].i)
        take_free_run(camera);
    else if (camera->words[TRIGGER_SOURCE].i == TRIGGER_SOFTWARE_SOURCE)
        take_software(camera);
    else if (camera->words[TRIGGER_SOURCE].i == TRIGGER_LINE0)
        take_line0(camera);
    else
        take_encoder_lines(camera);
}
