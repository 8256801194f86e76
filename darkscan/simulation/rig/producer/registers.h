/* The registers behind the cameras' nodes; the descriptions (.xml) give the same addresses.
 * Every register is eight bytes: an integer or a double. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

union word {
    int64_t i;
    double f;
};

enum {
    REGISTERS_AT = 0x1000,
    TEXTS_AT = 0x2000, /* vendor, model, serial, version */
    TEXT_BYTES = 32,
    XML_AT = 0x100000,
};

enum reg {
    WIDTH_MAX,
    HEIGHT_MAX,
    WIDTH,
    HEIGHT,
    OFFSET_X,
    OFFSET_Y,
    PIXEL_FORMAT,
    PAYLOAD_SIZE,
    ACQUISITION_MODE = 0x10,
    ACQUISITION_START,
    ACQUISITION_STOP,
    ACQUISITION_RATE, /* frames or lines a second */
    EXPOSURE_MODE,
    EXPOSURE_TIME,
    EXPOSURE_AUTO,
    GAIN,
    GAIN_AUTO,
    TRIGGER_SELECTOR = 0x20,
    TRIGGER_MODE,
    TRIGGER_SOURCE,
    TRIGGER_ACTIVATION,
    TRIGGER_DELAY,
    TRIGGER_SOFTWARE,
    ENCODER_SELECTOR = 0x28,
    ENCODER_SOURCE_A,
    ENCODER_SOURCE_B,
    ENCODER_MODE,
    ENCODER_DIVIDER,
    ENCODER_OUTPUT_MODE,
    ENCODER_RESET,
    ENCODER_VALUE,
    COUNTER_SELECTOR = 0x30,
    COUNTER_EVENT_SOURCE,
    COUNTER_RESET,
    COUNTER_VALUE,
    CHUNK_MODE_ACTIVE = 0x38,
    CHUNK_SELECTOR,
    TL_PARAMS_LOCKED,
    TIMESTAMP_LATCH,
    TIMESTAMP_LATCH_VALUE,
    PTP_ENABLE,
    USER_SET_SELECTOR,
    USER_SET_LOAD,
    CHUNK_ENABLE = 0x40, /* one for each chunk */
    REGISTER_WORDS = 0x48,
};

/* Entries of enumerations. */
enum { TRIGGER_SOFTWARE_SOURCE = 0, TRIGGER_LINE0 = 1, TRIGGER_ENCODER0 = 2 };
enum { OUTPUT_OFF, POSITION_UP, POSITION_DOWN, DIRECTION_UP, DIRECTION_DOWN, MOTION };

#endif
