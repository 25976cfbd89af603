/* The body of a COPY while it is written: pieces that are done, and one that grows. */

#ifndef HEADRACE_BODY_H
#define HEADRACE_BODY_H

#include "native.h"

enum { LENGTH = 4, MOST_NUMBER = LENGTH + 8, COUNT = 2 }; /* bytes */

/* Wherever a value begins there is room for `spare` bytes: a row of numbers and the trailer. So only texts have
 * to ask for room. */
typedef struct {
    PyObject *pieces;
    PyObject *piece; /* NULL after memory ran out */
    char *at;        /* where its next byte goes */
    char *end;
    Py_ssize_t spare;
} Body;

static inline Py_ssize_t used(const Body *body)
{
    return body->at - PyBytes_AS_STRING(body->piece);
}

static inline void put(Body *body, uint64_t number, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        *body->at++ = (char)(unsigned char)(number >> shift);
    }
}

/* Make the growing piece so large that it takes so many bytes more, and the spare ones. */
int grow(Body *body, Py_ssize_t bytes);

/* Make room for so many bytes, and the spare ones; -1 with MemoryError. */
static inline int make_room(Body *body, Py_ssize_t bytes)
{
    return bytes <= body->end - body->at - body->spare ? 0 : grow(body, bytes);
}

/* Write a value, as the kind of its column says; -1 with an exception. */
int write_value(Body *body, PyObject *value, char kind);

#endif
