/* The interface: finds and opens the cameras. */
#include <string.h>

#include "producer.h"

/* The index-th camera that is plugged in, or the one of that id. */
static struct device *find(struct interface *interface, uint32_t index, const char *id)
{
    for (int i = 0; i < interface->count; i++) {
        struct device *device = &interface->devices[i];
        if (!device_is_there(device))
            continue;
        if (id ? strcmp(id, device->module.id) == 0 : index-- == 0)
            return device;
    }
    return NULL;
}

GC_API IFClose(HANDLE handle)
{
    struct interface *interface = module_of(handle, INTERFACE);
    if (!interface)
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    for (int i = 0; i < interface->count; i++)
        if (interface->devices[i].is_open)
            device_shut(&interface->devices[i]);
    return GC_ERR_SUCCESS;
}

GC_API IFUpdateDeviceList(HANDLE handle, bool8_t *changed, uint64_t timeout)
{
    (void)timeout;
    if (!module_of(handle, INTERFACE))
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    if (changed)
        *changed = 1; /* they may be plugged in and out between any two calls */
    return GC_ERR_SUCCESS;
}

GC_API IFGetNumDevices(HANDLE handle, uint32_t *count)
{
    struct interface *interface = module_of(handle, INTERFACE);
    if (!interface)
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    *count = 0;
    while (find(interface, *count, NULL))
        ++*count;
    return GC_ERR_SUCCESS;
}

GC_API IFGetDeviceID(HANDLE handle, uint32_t index, char *id, size_t *size)
{
    struct interface *interface = module_of(handle, INTERFACE);
    if (!interface)
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    struct device *device = find(interface, index, NULL);
    if (!device)
        return fail(GC_ERR_INVALID_INDEX, "no such camera");
    return give_text(device->module.id, NULL, id, size);
}

GC_API IFGetDeviceInfo(HANDLE handle, const char *id, INFO_CMD what, INFO_DATATYPE *type,
                       void *buffer, size_t *size)
{
    struct interface *interface = module_of(handle, INTERFACE);
    if (!interface)
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    struct device *device = find(interface, 0, id);
    if (!device)
        return fail(GC_ERR_INVALID_ID, "no such camera");
    return device_info(device, what, type, buffer, size);
}

GC_API IFOpenDevice(HANDLE handle, const char *id, INFO_CMD access, HANDLE *opened)
{
    (void)access;
    struct interface *interface = module_of(handle, INTERFACE);
    if (!interface)
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    struct device *device = find(interface, 0, id);
    if (!device)
        return fail(GC_ERR_INVALID_ID, "no such camera");
    if (device->is_open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the camera is open already");
    registers_reset(&device->camera);
    device->plug = interface->system->rig ? rig_load(&interface->system->rig->plug) : 0;
    device->is_open = true;
    *opened = device;
    return GC_ERR_SUCCESS;
}

GC_API IFGetParentTL(HANDLE handle, HANDLE *system)
{
    struct interface *interface = module_of(handle, INTERFACE);
    if (!interface)
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    *system = interface->system;
    return GC_ERR_SUCCESS;
}
