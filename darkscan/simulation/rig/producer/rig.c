#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool rig_open(struct rig **rig, char *reason, int reason_size)
{
    *rig = NULL;
    const char *path = getenv(RIG_VARIABLE);
    if (!path || !*path)
        return true;
    int file = open(path, O_RDWR | O_CLOEXEC);
    struct stat stat;
    if (file < 0 || fstat(file, &stat) < 0) {
        snprintf(reason, reason_size, "%s: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return false;
    }
    void *memory = MAP_FAILED;
    if ((size_t)stat.st_size >= sizeof(struct rig))
        memory = mmap(NULL, stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    struct rig *mapped = memory;
    if (memory == MAP_FAILED || mapped->magic != RIG_MAGIC ||
        mapped->size != (uint64_t)stat.st_size) {
        snprintf(reason, reason_size, "%s: is no shared rig", path);
        if (memory != MAP_FAILED)
            munmap(memory, stat.st_size);
        return false;
    }
    *rig = mapped;
    return true;
}

void rig_close(struct rig *rig)
{
    if (rig)
        munmap(rig, rig->size);
}

uint64_t rig_oldest(uint64_t written)
{
    return written > RIG_RING / 2 ? written - RIG_RING / 2 : 0;
}

void between(const struct moment *from, const struct moment *to, double share, double position[3])
{
    for (int axis = 0; axis < 3; axis++)
        position[axis] = from->position[axis] + share * (to->position[axis] - from->position[axis]);
}

void rig_position(const struct rig *rig, int64_t time_ns, double position[3])
{
    uint64_t told = rig_load(&rig->moves_told);
    struct moment later = {0}, earlier = {0};
    uint64_t oldest = rig_oldest(told);
    for (uint64_t n = told; n > oldest; n--) {
        earlier = rig->moves[(n - 1) % RIG_RING];
        if (earlier.time_ns <= time_ns) {
            bool last = n == told;
            int64_t step = last ? 0 : later.time_ns - earlier.time_ns;
            double share = step > 0 ? (double)(time_ns - earlier.time_ns) / step : 0.0;
            between(&earlier, &later, share, position);
            return;
        }
        later = earlier;
    }
    memcpy(position, earlier.position, sizeof earlier.position);
}

bool rig_take(const uint64_t *asked, uint64_t *done)
{
    if (*done >= rig_load(asked))
        return false;
    rig_store(done, *done + 1);
    return true;
}
