/* The library itself: opening, errors, answers to questions. */
#include <stdio.h>
#include <string.h>

#include "producer.h"

static _Thread_local GC_ERROR last_error;
static _Thread_local char last_text[256];

GC_ERROR fail(GC_ERROR error, const char *text)
{
    last_error = error;
    snprintf(last_text, sizeof last_text, "%s", text);
    return error;
}

void *module_of(HANDLE handle, enum module_kind kind)
{
    struct module *module = handle;
    return is_alive(handle) && module->kind == kind ? module : NULL;
}

GC_ERROR give(INFO_DATATYPE kind, const void *value, size_t length, INFO_DATATYPE *type,
              void *buffer, size_t *size)
{
    if (!size)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the size");
    if (type)
        *type = kind;
    if (buffer && *size < length)
        return fail(GC_ERR_BUFFER_TOO_SMALL, "the buffer is too small");
    if (buffer)
        memcpy(buffer, value, length);
    *size = length;
    return GC_ERR_SUCCESS;
}

GC_ERROR give_text(const char *text, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    return give(INFO_DATATYPE_STRING, text, strlen(text) + 1, type, buffer, size);
}

#define GIVE(name, ctype, kind)                                                                    \
    GC_ERROR name(ctype value, INFO_DATATYPE *type, void *buffer, size_t *size)                    \
    {                                                                                              \
        return give(kind, &value, sizeof value, type, buffer, size);                               \
    }
GIVE(give_int32, int32_t, INFO_DATATYPE_INT32)
GIVE(give_uint32, uint32_t, INFO_DATATYPE_UINT32)
GIVE(give_uint64, uint64_t, INFO_DATATYPE_UINT64)
GIVE(give_size, size_t, INFO_DATATYPE_SIZET)
GIVE(give_pointer, const void *, INFO_DATATYPE_PTR)

GC_ERROR give_bool(bool value, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    bool8_t byte = value;
    return give(INFO_DATATYPE_BOOL8, &byte, 1, type, buffer, size);
}

GC_API GCInitLib(void) { return GC_ERR_SUCCESS; }
GC_API GCCloseLib(void) { return GC_ERR_SUCCESS; }

GC_API GCGetLastError(GC_ERROR *error, char *text, size_t *size)
{
    if (error)
        *error = last_error;
    return give_text(last_text, NULL, text, size);
}

GC_API GCGetInfo(INFO_CMD what, INFO_DATATYPE *type, void *buffer, size_t *size)
{
    switch (what) {
    case TL_INFO_ID:
    case TL_INFO_MODEL:
    case TL_INFO_NAME:
    case TL_INFO_DISPLAYNAME:
        return give_text(MODEL, type, buffer, size);
    case TL_INFO_VENDOR:
        return give_text(VENDOR, type, buffer, size);
    case TL_INFO_VERSION:
        return give_text(VERSION, type, buffer, size);
    case TL_INFO_TLTYPE:
        return give_text(TLTYPE, type, buffer, size);
    case TL_INFO_PATHNAME:
        return give_text(MODEL ".cti", type, buffer, size);
    case TL_INFO_CHAR_ENCODING:
        return give_int32(1, type, buffer, size); /* UTF-8 */
    case TL_INFO_GENTL_VER_MAJOR:
        return give_uint32(1, type, buffer, size);
    case TL_INFO_GENTL_VER_MINOR:
        return give_uint32(5, type, buffer, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "no such information");
    }
}
