/* Functions of the standard that a simple camera has no use for. */
#include "module.h"

static GC_ERROR refuse(void) { return fail(GC_ERR_NOT_IMPLEMENTED, "not supported"); }

GC_API DSAnnounceCompositeBuffer(HANDLE stream, size_t count, void **segments, size_t *sizes,
                                 void *user, BUFFER_HANDLE *buffer)
{
    (void)stream, (void)count, (void)segments, (void)sizes, (void)user, (void)buffer;
    return refuse();
}

GC_API DSGetNumBufferParts(HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count)
{
    (void)stream, (void)buffer, (void)count;
    return refuse();
}

GC_API DSGetBufferPartInfo(HANDLE stream, BUFFER_HANDLE buffer, uint32_t part, INFO_CMD what,
                           INFO_DATATYPE *type, void *out, size_t *size)
{
    (void)stream, (void)buffer, (void)part, (void)what, (void)type, (void)out, (void)size;
    return refuse();
}

GC_API DSGetBufferPartInfoStacked(HANDLE stream, BUFFER_HANDLE buffer, void *asked, size_t count)
{
    (void)stream, (void)buffer, (void)asked, (void)count;
    return refuse();
}

GC_API DSGetNumBufferSegments(HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count)
{
    (void)stream, (void)buffer, (void)count;
    return refuse();
}

GC_API DSGetBufferSegmentInfo(HANDLE stream, BUFFER_HANDLE buffer, uint32_t segment, INFO_CMD what,
                              INFO_DATATYPE *type, void *out, size_t *size)
{
    (void)stream, (void)buffer, (void)segment, (void)what, (void)type, (void)out, (void)size;
    return refuse();
}

GC_API DSGetNumFlows(HANDLE stream, uint32_t *count)
{
    (void)stream, (void)count;
    return refuse();
}

GC_API DSGetFlowInfo(HANDLE stream, uint32_t flow, INFO_CMD what, INFO_DATATYPE *type, void *out,
                     size_t *size)
{
    (void)stream, (void)flow, (void)what, (void)type, (void)out, (void)size;
    return refuse();
}
