/* The memory shared with the rest of the simulation; shared_layout.py says the same in Python. */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stdint.h>

#define RIG_VARIABLE "DARKSCAN_SIMULATED_RIG"
#define RIG_MAGIC 0x3130474952534B44ULL /* "DKSRIG01" */
#define RIG_RING 4096

/* Where the axes (x, y, z in mm) stood at a time (CLOCK_REALTIME). */
struct moment {
    int64_t time_ns;
    double position[3];
};

struct rig {
    uint64_t magic, size;

    /* The look, written once. */
    uint64_t line_scan, encoder_axis;
    double encoder_step_mm;
    double to_canvas[6];
    uint64_t sensor_height, sensor_width;
    uint64_t canvas_height, canvas_width;
    uint64_t noise_side;
    double noise_gain, noise_offset, noise_floor;
    uint64_t gains_at, hot_at, noise_at, canvas_at; /* bytes from the start; 0: none */

    /* Written by the simulation. */
    uint64_t light;
    uint64_t plug; /* odd: unplugged */
    uint64_t drop_asked, incomplete_asked, skip_asked;
    uint64_t moves_told, triggers_fired;

    /* Written by the camera. */
    uint64_t acquiring, triggers_seen, triggers_ignored;
    uint64_t drop_done, incomplete_done, skip_done;
    uint64_t frames, lines, underruns;

    /* Written by the simulation, the oldest overwritten. */
    struct moment moves[RIG_RING];
    struct moment triggers[RIG_RING];
};

/* Maps the file that the environment names into *rig: NULL if it names none.
 * False, with a reason, if it is no shared rig. */
bool rig_open(struct rig **rig, char *reason, int reason_size);
void rig_close(struct rig *rig);

/* A word that another process writes. */
static inline uint64_t rig_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void rig_store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The oldest telling or trigger that can be read while more are written. */
uint64_t rig_oldest(uint64_t written);

/* Where the axes were at a time: interpolated between two tellings, at rest after the last. */
void rig_position(const struct rig *rig, int64_t time_ns, double position[3]);

/* The position a share of the way from one moment to the next. */
void between(const struct moment *from, const struct moment *to, double share, double position[3]);

/* Takes one of the faults asked for; false if there is none left. */
bool rig_take(const uint64_t *asked, uint64_t *done);

#endif
