/* The tree of modules: a system with one interface, which holds the cameras. */
#ifndef PRODUCER_H
#define PRODUCER_H

#include "camera.h"
#include "module.h"
#include "rig.h"
#include "stream.h"

#define VENDOR "darkscan"
#define MODEL "SimulatedRig"
#define VERSION "1.0.0"
#define TLTYPE "Custom"
#define MAX_DEVICES 2

struct device {
    struct module module;
    struct module remote;
    struct interface *interface;
    bool is_open;
    uint64_t plug; /* of the rig, when the device was opened */
    struct camera camera;
    struct stream stream;
};

struct interface {
    struct module module;
    struct system *system;
    struct device devices[MAX_DEVICES];
    int count; /* of the devices, plugged in or not */
};

struct system {
    struct module module;
    struct system *next; /* that is open */
    struct rig *rig;     /* NULL: there is none, cameras show a test pattern */
    struct interface interface;
};

void interface_init(struct interface *interface, struct system *system);
void interface_shut(struct interface *interface);

void device_init(struct device *device, struct interface *interface, enum camera_kind kind);
void device_shut(struct device *device);
/* Whether the camera can be found. */
bool device_is_there(const struct device *device);
/* Whether the camera was unplugged since it was opened. */
bool device_is_gone(const struct device *device);
const char *device_model(const struct device *device);
GC_ERROR device_info(struct device *device, INFO_CMD what, INFO_DATATYPE *type, void *buffer,
                     size_t *size);

#endif
