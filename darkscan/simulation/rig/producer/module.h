/* What every handle points at. */
#ifndef MODULE_H
#define MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include "gentl.h"

enum module_kind { SYSTEM = 0x51A0, INTERFACE, DEVICE, REMOTE_DEVICE, STREAM, EVENT };

/* A description of nodes, linked into the library. */
struct xml {
    const char *name;
    const unsigned char *text;
    size_t size;
};
extern const struct xml area_xml, line_xml, module_xml, stream_xml;

struct module {
    enum module_kind kind;
    const char *id;
    const char *port_name; /* as the nodes' description calls the port */
    const struct xml *xml;
};

/* The module behind a handle, NULL if it is closed or of another kind. */
void *module_of(HANDLE handle, enum module_kind kind);
/* Whether a handle is of a system that is open. */
bool is_alive(HANDLE handle);

/* Remembers an error for GCGetLastError and returns it. */
GC_ERROR fail(GC_ERROR error, const char *text);

/* Answers to the many functions that give information; with a NULL buffer, their size alone. */
GC_ERROR give(INFO_DATATYPE kind, const void *value, size_t length, INFO_DATATYPE *type,
              void *buffer, size_t *size);
GC_ERROR give_text(const char *text, INFO_DATATYPE *type, void *buffer, size_t *size);
GC_ERROR give_int32(int32_t value, INFO_DATATYPE *type, void *buffer, size_t *size);
GC_ERROR give_uint32(uint32_t value, INFO_DATATYPE *type, void *buffer, size_t *size);
GC_ERROR give_uint64(uint64_t value, INFO_DATATYPE *type, void *buffer, size_t *size);
GC_ERROR give_size(size_t value, INFO_DATATYPE *type, void *buffer, size_t *size);
GC_ERROR give_bool(bool value, INFO_DATATYPE *type, void *buffer, size_t *size);
GC_ERROR give_pointer(const void *value, INFO_DATATYPE *type, void *buffer, size_t *size);

#endif
