/* The system: opens the shared rig, holds the interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer.h"

#define INTERFACE_ID "SimulatedInterface"

static struct system *systems; /* that are open */
static pthread_mutex_t systems_lock = PTHREAD_MUTEX_INITIALIZER;

/* Modules are parts of their system, so the address tells. */
bool is_alive(HANDLE handle)
{
    bool found = false;
    pthread_mutex_lock(&systems_lock);
    for (struct system *system = systems; system && !found; system = system->next)
        found = (char *)handle >= (char *)system && (char *)handle < (char *)(system + 1);
    pthread_mutex_unlock(&systems_lock);
    return found;
}

GC_API TLOpen(HANDLE *opened)
{
    char reason[256];
    struct rig *rig;
    if (!rig_open(&rig, reason, sizeof reason))
        return fail(GC_ERR_IO, reason);
    struct system *system = calloc(1, sizeof *system);
    if (!system) {
        rig_close(rig);
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the system");
    }
    system->module = (struct module){SYSTEM, MODEL, "ModulePort", &module_xml};
    system->rig = rig;
    interface_init(&system->interface, system);
    pthread_mutex_lock(&systems_lock);
    system->next = systems;
    systems = system;
    pthread_mutex_unlock(&systems_lock);
    *opened = system;
    return GC_ERR_SUCCESS;
}

GC_API TLClose(HANDLE handle)
{
    struct system *system = module_of(handle, SYSTEM);
    if (!system)
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    pthread_mutex_lock(&systems_lock);
    struct system **link = &systems;
    while (*link != system)
        link = &(*link)->next;
    *link = system->next;
    pthread_mutex_unlock(&systems_lock);
    interface_shut(&system->interface);
    rig_close(system->rig);
    free(system);
    return GC_ERR_SUCCESS;
}

GC_API GCGetInfo(INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size);

GC_API TLGetInfo(HANDLE handle, INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    if (!module_of(handle, SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    return GCGetInfo(what, type, buffer, size);
}

GC_API TLUpdateInterfaceList(HANDLE handle, bool8_t *changed, uint64_t timeout)
{
    (void)timeout;
    if (!module_of(handle, SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    if (changed)
        *changed = 0;
    return GC_ERR_SUCCESS;
}

GC_API TLGetNumInterfaces(HANDLE handle, uint32_t *count)
{
    if (!module_of(handle, SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_API TLGetInterfaceID(HANDLE handle, uint32_t index, char *id, size_t *size)
{
    if (!module_of(handle, SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    if (index)
        return fail(GC_ERR_INVALID_INDEX, "there is one interface");
    return give_text(INTERFACE_ID, NULL, id, size);
}

static GC_ERROR interface_info(INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    switch (what) {
    case INTERFACE_INFO_ID:
    case INTERFACE_INFO_DISPLAYNAME:
        return give_text(INTERFACE_ID, type, buffer, size);
    case INTERFACE_INFO_TLTYPE:
        return give_text(TLTYPE, type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}

GC_API TLGetInterfaceInfo(HANDLE handle, const char *id, INFO_CMD what, INFO_DATATYPE *type,
                          void *buffer, size_t *size)
{
    if (!module_of(handle, SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    if (strcmp(id, INTERFACE_ID) != 0)
        return fail(GC_ERR_INVALID_ID, "no such interface");
    return interface_info(what, type, buffer, size);
}

GC_API TLOpenInterface(HANDLE handle, const char *id, HANDLE *opened)
{
    struct system *system = module_of(handle, SYSTEM);
    if (!system)
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    if (strcmp(id, INTERFACE_ID) != 0)
        return fail(GC_ERR_INVALID_ID, "no such interface");
    *opened = &system->interface;
    return GC_ERR_SUCCESS;
}

GC_API IFGetInfo(HANDLE handle, INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    if (!module_of(handle, INTERFACE))
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    return interface_info(what, type, buffer, size);
}

void interface_init(struct interface *interface, struct system *system)
{
    const struct rig *rig = system->rig;
    interface->module = (struct module){INTERFACE, INTERFACE_ID, "ModulePort", &module_xml};
    interface->system = system;
    if (!rig || !rig->line_scan)
        device_init(&interface->devices[interface->count++], interface, AREA);
    if (!rig || rig->line_scan)
        device_init(&interface->devices[interface->count++], interface, LINE);
}

void interface_shut(struct interface *interface)
{
    for (int i = 0; i < interface->count; i++)
        device_shut(&interface->devices[i]);
}
