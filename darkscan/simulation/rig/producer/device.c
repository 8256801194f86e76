/* The device: a camera as the host sees it. */
#include <string.h>

#include "producer.h"

static const char *const serials[] = {[AREA] = "SIM-A", [LINE] = "SIM-L"};
static const char *const models[] = {[AREA] = "SimulatedArea", [LINE] = "SimulatedLine"};
static const char *const stream_id = "Stream0";

void device_init(struct device *device, struct interface *interface, enum camera_kind kind)
{
    const struct xml *xml = kind == AREA ? &area_xml : &line_xml;
    device->module = (struct module){DEVICE, serials[kind], "ModulePort", &module_xml};
    device->remote = (struct module){REMOTE_DEVICE, serials[kind], "Device", xml};
    device->interface = interface;
    camera_init(&device->camera, device, kind, interface->system->rig);
    stream_init(&device->stream, device);
}

void device_shut(struct device *device)
{
    camera_stop(&device->camera);
    stream_shut(&device->stream);
    device->is_open = false;
}

bool device_is_there(const struct device *device)
{
    const struct rig *rig = device->interface->system->rig;
    return !rig || rig_load(&rig->plug) % 2 == 0;
}

bool device_is_gone(const struct device *device)
{
    const struct rig *rig = device->interface->system->rig;
    return rig && rig_load(&rig->plug) != device->plug;
}

const char *device_model(const struct device *device) { return models[device->camera.kind]; }

GC_ERROR device_info(struct device *device, INFO_CMD what, INFO_DATATYPE *type, void *buffer,
                     size_t *size)
{
    switch (what) {
    case DEVICE_INFO_ID:
    case DEVICE_INFO_SERIAL_NUMBER:
        return give_text(device->module.id, type, buffer, size);
    case DEVICE_INFO_VENDOR:
        return give_text(VENDOR, type, buffer, size);
    case DEVICE_INFO_MODEL:
    case DEVICE_INFO_DISPLAYNAME:
        return give_text(device_model(device), type, buffer, size);
    case DEVICE_INFO_USER_DEFINED_NAME:
        return give_text("", type, buffer, size);
    case DEVICE_INFO_TLTYPE:
        return give_text(TLTYPE, type, buffer, size);
    case DEVICE_INFO_VERSION:
        return give_text(VERSION, type, buffer, size);
    case DEVICE_INFO_ACCESS_STATUS:
        return give_int32(device->is_open ? DEVICE_ACCESS_STATUS_OPEN_READWRITE
                                          : DEVICE_ACCESS_STATUS_READWRITE,
                          type, buffer, size);
    case DEVICE_INFO_TIMESTAMP_FREQUENCY:
        return give_uint64(1000000000, type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}

static struct device *opened(HANDLE handle)
{
    struct device *device = module_of(handle, DEVICE);
    return device && device->is_open ? device : NULL;
}

GC_API DevClose(HANDLE handle)
{
    struct device *device = opened(handle);
    if (!device)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    device_shut(device);
    return GC_ERR_SUCCESS;
}

GC_API DevGetInfo(HANDLE handle, INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    struct device *device = opened(handle);
    if (!device)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    return device_info(device, what, type, buffer, size);
}

GC_API DevGetNumDataStreams(HANDLE handle, uint32_t *count)
{
    if (!opened(handle))
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_API DevGetDataStreamID(HANDLE handle, uint32_t index, char *id, size_t *size)
{
    if (!opened(handle))
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    if (index)
        return fail(GC_ERR_INVALID_INDEX, "there is one stream");
    return give_text(stream_id, NULL, id, size);
}

GC_API DevOpenDataStream(HANDLE handle, const char *id, HANDLE *stream)
{
    struct device *device = opened(handle);
    if (!device)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    if (strcmp(id, stream_id) != 0)
        return fail(GC_ERR_INVALID_ID, "no such stream");
    if (device->stream.is_open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the stream is open already");
    device->stream.is_open = true;
    device->stream.delivered = device->stream.underruns = device->stream.started = 0;
    *stream = &device->stream;
    return GC_ERR_SUCCESS;
}

GC_API DevGetPort(HANDLE handle, HANDLE *remote)
{
    struct device *device = opened(handle);
    if (!device)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    *remote = &device->remote;
    return GC_ERR_SUCCESS;
}

GC_API DevGetParentIF(HANDLE handle, HANDLE *interface)
{
    struct device *device = opened(handle);
    if (!device)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    *interface = device->interface;
    return GC_ERR_SUCCESS;
}
