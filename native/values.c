/* write_value: one value of a row as PostgreSQL takes it in binary, the same bytes as asyncpg's encoders write.
 *
 * Kinds of columns: 2, 4, 8 integers of so many bytes, s text, t timestamptz, b boolean, f float8, y bytea. */

#include "body.h"

#include <datetime.h>
#include <string.h>

static inline int write_number(Body *body, int64_t number, int bytes)
{
    put(body, (uint64_t)bytes, LENGTH);
    put(body, (uint64_t)number, bytes);
    return 0;
}

static int write_bytes(Body *body, const void *data, Py_ssize_t length)
{
    if (length > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "value too long");
        return -1;
    }
    if (make_room(body, LENGTH + length) < 0) {
        return -1;
    }
    put(body, (uint64_t)length, LENGTH);
    memcpy(body->at, data, (size_t)length);
    body->at += length;
    return 0;
}

static int wrong_type(const char *expected, PyObject *value)
{
    PyErr_Format(PyExc_TypeError, "expected %s, got %s", expected, Py_TYPE(value)->tp_name);
    return -1;
}

static int write_integer(Body *body, PyObject *value, int bytes)
{
    PyNumberMethods *number_of = Py_TYPE(value)->tp_as_number;
    bool converts = !PyLong_CheckExact(value) && number_of && number_of->nb_int; /* asyncpg takes int(value) */
    PyObject *integer = converts ? PyNumber_Long(value) : Py_NewRef(value);
    if (!integer) {
        return -1;
    }
    int overflow;
    int64_t number = PyLong_AsLongLongAndOverflow(integer, &overflow);
    Py_DECREF(integer);
    if (number == -1 && !overflow && PyErr_Occurred()) {
        return -1;
    }
    int64_t most = INT64_MAX >> (64 - 8 * bytes);
    if (overflow || number > most || number < -most - 1) {
        PyErr_Format(PyExc_OverflowError, "value out of int%d range", 8 * bytes);
        return -1;
    }
    return write_number(body, number, bytes);
}

static int write_float(Body *body, PyObject *value)
{
    double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    int64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return write_number(body, bits, sizeof bits);
}

static int write_binary(Body *body, PyObject *value)
{
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    int done = write_bytes(body, view.buf, view.len);
    PyBuffer_Release(&view);
    return done;
}

/* Write characters as UTF-8 and give where they end; NULL if one is a surrogate. `kind` is a constant where
 * this is called, so that each kind of text gets a loop of its own. */
static inline Py_ALWAYS_INLINE char *utf8(int kind, const void *text, Py_ssize_t length, char *at)
{
    for (Py_ssize_t i = 0; i < length; i++) {
        while (length - i >= 4) { /* most are ASCII: four at once, as long as they are */
            Py_UCS4 all = PyUnicode_READ(kind, text, i) | PyUnicode_READ(kind, text, i + 1)
                | PyUnicode_READ(kind, text, i + 2) | PyUnicode_READ(kind, text, i + 3);
            if (all >= 0x80) {
                break;
            }
            for (int next = 0; next < 4; next++) {
                *at++ = (char)PyUnicode_READ(kind, text, i + next);
            }
            i += 4;
        }
        if (i == length) {
            break;
        }
        Py_UCS4 c = PyUnicode_READ(kind, text, i);
        if (c < 0x80) {
            *at++ = (char)c;
            continue;
        }
        if (c < 0x800) {
            *at++ = (char)(0xc0 | c >> 6);
        } else {
            if (c < 0x10000) {
                if (Py_UNICODE_IS_SURROGATE(c)) {
                    return NULL;
                }
                *at++ = (char)(0xe0 | c >> 12);
            } else {
                *at++ = (char)(0xf0 | c >> 18);
                *at++ = (char)(0x80 | (c >> 12 & 0x3f));
            }
            *at++ = (char)(0x80 | (c >> 6 & 0x3f));
        }
        *at++ = (char)(0x80 | (c & 0x3f));
    }
    return at;
}

/* Not by PyUnicode_AsUTF8, which would keep the bytes beside each text that is not ASCII. */
static int write_text(Body *body, PyObject *value)
{
    if (!PyUnicode_Check(value)) {
        return wrong_type("str", value);
    }
    if (READY(value) < 0) {
        return -1;
    }
    const void *text = PyUnicode_DATA(value);
    Py_ssize_t length = PyUnicode_GET_LENGTH(value);
    if (PyUnicode_IS_ASCII(value)) {
        return write_bytes(body, text, length);
    }
    if (length > INT32_MAX / 4) { /* no character has more than four bytes */
        PyErr_SetString(PyExc_ValueError, "string too long");
        return -1;
    }
    if (make_room(body, LENGTH + 4 * length) < 0) {
        return -1;
    }
    int kind = PyUnicode_KIND(value);
    char *start = body->at + LENGTH;
    char *end = kind == PyUnicode_1BYTE_KIND ? utf8(PyUnicode_1BYTE_KIND, text, length, start)
              : kind == PyUnicode_2BYTE_KIND ? utf8(PyUnicode_2BYTE_KIND, text, length, start)
                                             : utf8(PyUnicode_4BYTE_KIND, text, length, start);
    if (!end) {
        Py_XDECREF(PyUnicode_AsUTF8String(value)); /* raises, and says which character it is */
        return -1;
    }
    put(body, (uint64_t)(end - start), LENGTH);
    body->at = end;
    return 0;
}

/* Times are microseconds from 2000. The ends of Python's calendar are infinity for asyncpg. */
#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define FIRST_MOMENT INT64_C(-63082281600000000)
#define LAST_MOMENT INT64_C(252455615999999999)

/* Days from 2000-01-01 in the Gregorian calendar; years that begin in March end with the leap day. */
static inline int64_t days(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + of_year - 730425;
}

/* Give what a time is ahead of UTC in microseconds; -1 with an exception. */
static int get_offset(PyObject *moment, int64_t *offset)
{
    /* datetime's own method, as astimezone takes it: it sees to it that the offset is less than a day. */
    PyObject *delta = PyObject_CallMethod((PyObject *)PyDateTimeAPI->DateTimeType, "utcoffset", "O", moment);
    if (!delta) {
        return -1;
    }
    bool known = PyDelta_Check(delta);
    if (known) {
        *offset = PyDateTime_DELTA_GET_DAYS(delta) * DAY + PyDateTime_DELTA_GET_SECONDS(delta) * SECOND
            + PyDateTime_DELTA_GET_MICROSECONDS(delta);
    } else {
        PyErr_SetString(PyExc_ValueError, "naive datetime: say which time zone it is in");
    }
    Py_DECREF(delta);
    return known ? 0 : -1;
}

static int write_moment(Body *body, PyObject *value)
{
    if (!PyDateTime_Check(value)) {
        return wrong_type("datetime", value);
    }
    int64_t offset = 0;
    if (PyDateTime_DATE_GET_TZINFO(value) != PyDateTime_TimeZone_UTC && get_offset(value, &offset) < 0) {
        return -1;
    }
    int seconds = 3600 * PyDateTime_DATE_GET_HOUR(value) + 60 * PyDateTime_DATE_GET_MINUTE(value)
        + PyDateTime_DATE_GET_SECOND(value);
    int64_t moment = seconds * SECOND + PyDateTime_DATE_GET_MICROSECOND(value) - offset
        + days(PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value)) * DAY;
    if (moment < FIRST_MOMENT || moment > LAST_MOMENT) {
        PyErr_SetString(PyExc_OverflowError, "date value out of range");
        return -1;
    }
    if (moment == FIRST_MOMENT || moment == LAST_MOMENT) {
        moment = moment < 0 ? INT64_MIN : INT64_MAX;
    }
    return write_number(body, moment, 8);
}

int write_value(Body *body, PyObject *value, char kind)
{
    if (value == Py_None) {
        put(body, UINT32_MAX, LENGTH);
        return 0;
    }
    switch (kind) {
    case '2':
    case '4':
    case '8':
        return write_integer(body, value, kind - '0');
    case 's':
        return write_text(body, value);
    case 't':
        return write_moment(body, value);
    case 'b':
        return PyBool_Check(value) ? write_number(body, value == Py_True, 1) : wrong_type("bool", value);
    case 'f':
        return write_float(body, value);
    default: /* 'y', as encode_rows has made sure */
        return write_binary(body, value);
    }
}

int import_datetime(void)
{
    PyDateTime_IMPORT;
    return PyDateTimeAPI ? 0 : -1;
}
