/* Ports: the way to a module's registers and to the description of its nodes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "producer.h"

static struct module *port_of(HANDLE handle)
{
    struct module *module = handle;
    return is_alive(handle) && module->kind >= SYSTEM && module->kind <= STREAM ? module : NULL;
}

/* The camera behind its remote port. */
static struct device *remote_of(struct module *module)
{
    return (struct device *)((char *)module - offsetof(struct device, remote));
}

static bool is_gone(struct module *module)
{
    return module->kind == REMOTE_DEVICE && device_is_gone(remote_of(module));
}

/* The registers of a module on the host: its name, then what a stream counts. */
static GC_ERROR read_module(struct module *module, uint64_t address, void *buffer, size_t size)
{
    struct {
        char id[64];
        uint64_t delivered, lost, queued, announced;
    } page = {0};
    snprintf(page.id, sizeof page.id, "%s", module->id);
    if (module->kind == STREAM) {
        struct stream *stream = (struct stream *)module;
        page.delivered = stream->delivered;
        page.lost = stream->underruns;
        page.queued = stream->input.length;
        page.announced = stream->announced_count;
    }
    if (address + size > sizeof page)
        return fail(GC_ERR_INVALID_ADDRESS, "no such register");
    memcpy(buffer, (char *)&page + address, size);
    return GC_ERR_SUCCESS;
}

GC_API GCReadPort(HANDLE handle, uint64_t address, void *buffer, size_t *size)
{
    struct module *module = port_of(handle);
    if (!module)
        return fail(GC_ERR_INVALID_HANDLE, "no port");
    if (is_gone(module))
        return fail(GC_ERR_IO, "the camera is gone");
    const struct xml *xml = module->xml;
    if (address >= XML_AT && address + *size <= XML_AT + xml->size) {
        memcpy(buffer, xml->text + (address - XML_AT), *size);
        return GC_ERR_SUCCESS;
    }
    if (module->kind != REMOTE_DEVICE)
        return read_module(module, address, buffer, *size);
    return registers_read(&remote_of(module)->camera, address, buffer, *size);
}

GC_API GCWritePort(HANDLE handle, uint64_t address, const void *buffer, size_t *size)
{
    struct module *module = port_of(handle);
    if (!module)
        return fail(GC_ERR_INVALID_HANDLE, "no port");
    if (is_gone(module))
        return fail(GC_ERR_IO, "the camera is gone");
    if (module->kind != REMOTE_DEVICE)
        return fail(GC_ERR_ACCESS_DENIED, "the register can only be read");
    return registers_write(&remote_of(module)->camera, address, buffer, *size);
}

GC_API GCReadPortStacked(HANDLE handle, PORT_REGISTER_STACK_ENTRY *entries, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        GC_ERROR result =
            GCReadPort(handle, entries[i].Address, entries[i].pBuffer, &entries[i].Size);
        if (result != GC_ERR_SUCCESS) {
            *count = i;
            return result;
        }
    }
    return GC_ERR_SUCCESS;
}

GC_API GCWritePortStacked(HANDLE handle, PORT_REGISTER_STACK_ENTRY *entries, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        GC_ERROR result =
            GCWritePort(handle, entries[i].Address, entries[i].pBuffer, &entries[i].Size);
        if (result != GC_ERR_SUCCESS) {
            *count = i;
            return result;
        }
    }
    return GC_ERR_SUCCESS;
}

GC_API GCGetPortInfo(HANDLE handle, INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    static const char *const names[] = {"TLSystem", "TLInterface", "TLDevice", "Device",
                                        "TLDataStream"};
    struct module *module = port_of(handle);
    if (!module)
        return fail(GC_ERR_INVALID_HANDLE, "no port");
    bool remote = module->kind == REMOTE_DEVICE;
    switch (what) {
    case PORT_INFO_ID:
        return give_text(module->id, type, buffer, size);
    case PORT_INFO_VENDOR:
        return give_text(VENDOR, type, buffer, size);
    case PORT_INFO_MODEL:
        return give_text(remote ? device_model(remote_of(module)) : MODEL, type, buffer, size);
    case PORT_INFO_TLTYPE:
        return give_text(TLTYPE, type, buffer, size);
    case PORT_INFO_MODULE:
        return give_text(names[module->kind - SYSTEM], type, buffer, size);
    case PORT_INFO_LITTLE_ENDIAN:
    case PORT_INFO_ACCESS_READ:
        return give_bool(true, type, buffer, size);
    case PORT_INFO_ACCESS_WRITE:
        return give_bool(remote, type, buffer, size);
    case PORT_INFO_BIG_ENDIAN:
    case PORT_INFO_ACCESS_NA:
    case PORT_INFO_ACCESS_NI:
        return give_bool(false, type, buffer, size);
    case PORT_INFO_VERSION:
        return give_text(VERSION, type, buffer, size);
    case PORT_INFO_PORTNAME:
        return give_text(module->port_name, type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}

GC_API GCGetNumPortURLs(HANDLE handle, uint32_t *count)
{
    if (!port_of(handle))
        return fail(GC_ERR_INVALID_HANDLE, "no port");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_API GCGetPortURL(HANDLE handle, char *url, size_t *size)
{
    struct module *module = port_of(handle);
    if (!module)
        return fail(GC_ERR_INVALID_HANDLE, "no port");
    char text[128];
    snprintf(text, sizeof text, "local:%s;%X;%zX", module->xml->name, XML_AT, module->xml->size);
    return give_text(text, NULL, url, size);
}

GC_API GCGetPortURLInfo(HANDLE handle, uint32_t index, INFO_CMD what, INFO_DATATYPE *type,
                        void *buffer, size_t *size)
{
    struct module *module = port_of(handle);
    if (!module)
        return fail(GC_ERR_INVALID_HANDLE, "no port");
    if (index)
        return fail(GC_ERR_INVALID_INDEX, "there is one URL");
    switch (what) {
    case URL_INFO_URL:
        if (type)
            *type = INFO_DATATYPE_STRING;
        return GCGetPortURL(handle, buffer, size);
    case URL_INFO_SCHEMA_VER_MAJOR:
    case URL_INFO_SCHEMA_VER_MINOR:
    case URL_INFO_FILE_VER_MAJOR:
        return give_int32(1, type, buffer, size);
    case URL_INFO_FILE_VER_MINOR:
    case URL_INFO_FILE_VER_SUBMINOR:
        return give_int32(0, type, buffer, size);
    case URL_INFO_FILE_REGISTER_ADDRESS:
        return give_uint64(XML_AT, type, buffer, size);
    case URL_INFO_FILE_SIZE:
        return give_uint64(module->xml->size, type, buffer, size);
    case URL_INFO_SCHEME:
        return give_int32(URL_SCHEME_LOCAL, type, buffer, size);
    case URL_INFO_FILENAME:
        return give_text(module->xml->name, type, buffer, size);
    default: /* no hash is given */
        return fail(GC_ERR_NOT_AVAILABLE, "no such information");
    }
}
