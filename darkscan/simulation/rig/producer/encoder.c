/* The encoder input: counts of an axis, and the edges that take lines. */
#include <math.h>
#include <string.h>

#include "producer.h"

static double counts_at(const struct camera *camera, const double position[3])
{
    const struct rig *rig = camera->rig;
    if (!rig)
        return 0.0;
    int axis = (int)rig->encoder_axis;
    return (position[axis] - camera->encoder_zero[axis]) / rig->encoder_step_mm;
}

int64_t encoder_count(const struct camera *camera, const double position[3])
{
    return (int64_t)floor(counts_at(camera, position));
}

/* The edges passed, with the share of the way to the next; an edge is a divider's counts. */
static double phase_at(const struct camera *camera, const double position[3])
{
    return counts_at(camera, position) / (double)camera->words[ENCODER_DIVIDER].i;
}

static void stand_at(struct camera *camera, const struct moment *moment)
{
    camera->phase = camera->furthest = phase_at(camera, moment->position);
}

void encoder_reset(struct camera *camera)
{
    camera->here = (struct moment){.time_ns = now_ns()};
    if (camera->rig)
        rig_position(camera->rig, camera->here.time_ns, camera->here.position);
    memcpy(camera->encoder_zero, camera->here.position, sizeof camera->encoder_zero);
    stand_at(camera, &camera->here);
}

void encoder_begin(struct camera *camera)
{
    struct rig *rig = camera->rig;
    if (!rig)
        return;
    camera->moves_seen = rig_load(&rig->moves_told);
    camera->here = (struct moment){0};
    if (camera->moves_seen)
        camera->here = rig->moves[(camera->moves_seen - 1) % RIG_RING];
    stand_at(camera, &camera->here);
}

static bool counts(const struct camera *camera, double edge, bool up)
{
    switch (camera->words[ENCODER_OUTPUT_MODE].i) {
    case POSITION_UP:
        return up && edge > camera->furthest;
    case POSITION_DOWN:
        return !up && edge < camera->furthest;
    case DIRECTION_UP:
        return up;
    case DIRECTION_DOWN:
        return !up;
    case MOTION:
        return true;
    default:
        return false;
    }
}

static void pass_edge(struct camera *camera, double edge, bool up, const struct moment *from,
                      const struct moment *to, double share)
{
    const struct rig *rig = camera->rig;
    double divider = (double)camera->words[ENCODER_DIVIDER].i;
    if (!counts(camera, edge, up))
        return;
    camera->furthest = edge;
    camera->counter++;
    if (camera->counts_to_skip > 0) {
        camera->counts_to_skip -=
            camera->counts_to_skip < divider ? camera->counts_to_skip : (uint64_t)divider;
        return;
    }
    struct shot shot = {
        .time_ns = from->time_ns + (int64_t)(share * (double)(to->time_ns - from->time_ns)),
        .encoder = (int64_t)(edge * divider),
    };
    between(from, to, share, shot.position);
    /* Exactly at the edge, whatever the rounding on the way here. */
    shot.position[rig->encoder_axis] =
        camera->encoder_zero[rig->encoder_axis] + edge * divider * rig->encoder_step_mm;
    take(camera, &shot);
}

static void take_on_the_way(struct camera *camera, const struct moment *from,
                            const struct moment *to)
{
    double start = camera->phase, end = phase_at(camera, to->position);
    bool up = end > start;
    double first = up ? floor(start) + 1.0 : ceil(start) - 1.0, step = up ? 1.0 : -1.0;
    for (double edge = first; up ? edge <= end : edge >= end; edge += step) {
        if (!camera->acquiring)
            return;
        pass_edge(camera, edge, up, from, to, (edge - start) / (end - start));
    }
    camera->phase = end;
}

void take_encoder_lines(struct camera *camera)
{
    struct rig *rig = camera->rig;
    if (!rig)
        return;
    uint64_t asked = rig_load(&rig->skip_asked);
    camera->counts_to_skip += asked - rig->skip_done;
    rig_store(&rig->skip_done, asked);
    for (uint64_t told;
         camera->moves_seen < (told = rig_load(&rig->moves_told)) && camera->acquiring;) {
        uint64_t oldest = rig_oldest(told); /* who is that late sees the axes jump */
        if (camera->moves_seen < oldest)
            camera->moves_seen = oldest;
        struct moment from = camera->here, to = rig->moves[camera->moves_seen % RIG_RING];
        if (camera->moves_seen++ == 0)
            stand_at(camera, &to);
        else
            take_on_the_way(camera, &from, &to);
        camera->here = to;
    }
}
