/* encode_rows: rows as the body of PostgreSQL's binary COPY, the same bytes as asyncpg's encoders write.
 *
 * The format is https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": a header; each row as
 * the number of its values (16 bits) and each value as its length (32 bits) and its bytes, null as the length
 * -1; a trailer; all numbers big-endian. What asyncpg refuses is refused by the same exceptions.
 *
 * The body comes in pieces. So the server has the first while the next is sent, no text makes all be copied
 * into something larger, and the allocator gives the memory of one batch to the next: of a single object of
 * megabytes each page would come from the system anew, which takes longer than all else here. */

#include "body.h"

#include <string.h>

static const char HEADER[] = "PGCOPY\n\377\r\n\0" "\0\0\0\0" "\0\0\0"; /* signature, flags, extension; and \0 */
enum {
    PIECE = 64 * 1024, /* bytes; a piece ends with the row that reaches it */
    USUAL_ROW = 8 * 1024,
    MOST_COLUMNS = INT16_MAX
};

static int begin_piece(Body *body)
{
    Py_ssize_t size = PIECE + USUAL_ROW + body->spare;
    body->piece = PyBytes_FromStringAndSize(NULL, size);
    if (!body->piece) {
        return -1;
    }
    body->at = PyBytes_AS_STRING(body->piece);
    body->end = body->at + size;
    return 0;
}

static int end_piece(Body *body)
{
    if (_PyBytes_Resize(&body->piece, used(body)) < 0 || PyList_Append(body->pieces, body->piece) < 0) {
        return -1;
    }
    Py_CLEAR(body->piece);
    return 0;
}

int grow(Body *body, Py_ssize_t bytes)
{
    Py_ssize_t before = used(body);
    if (bytes > PY_SSIZE_T_MAX / 2 - before - body->spare) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t size = 2 * (before + bytes + body->spare);
    if (_PyBytes_Resize(&body->piece, size) < 0) {
        return -1;
    }
    body->at = PyBytes_AS_STRING(body->piece) + before;
    body->end = PyBytes_AS_STRING(body->piece) + size;
    return 0;
}

static int write_row(Body *body, PyObject *row, const char *kinds, Py_ssize_t columns)
{
    if (PyTuple_GET_SIZE(row) != columns) {
        PyErr_Format(PyExc_ValueError, "a row has %zd values for %zd columns", PyTuple_GET_SIZE(row), columns);
        return -1;
    }
    if (make_room(body, 0) < 0) {
        return -1;
    }
    put(body, (uint64_t)columns, COUNT);
    for (Py_ssize_t i = 0; i < columns; i++) {
        if (write_value(body, PyTuple_GET_ITEM(row, i), kinds[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_body(Body *body, PyObject *rows, const char *kinds, Py_ssize_t columns)
{
    if (begin_piece(body) < 0) {
        return -1;
    }
    memcpy(body->at, HEADER, sizeof HEADER);
    body->at += sizeof HEADER;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rows); i++) {
        PyObject *row = PySequence_Tuple(PyTuple_GET_ITEM(rows, i)); /* a tuple as it is */
        int done = row ? write_row(body, row, kinds, columns) : -1;
        Py_XDECREF(row);
        if (done < 0) {
            return -1;
        }
        if (used(body) >= PIECE) {
            if (end_piece(body) < 0 || begin_piece(body) < 0) {
                return -1;
            }
            Py_BEGIN_ALLOW_THREADS /* a thread that has waited for its turn gets it */
            Py_END_ALLOW_THREADS
        }
    }
    put(body, UINT16_MAX, COUNT); /* the trailer */
    return end_piece(body);
}

/* Rows and values are taken from tuples, as other code may change a list meanwhile. */
PyObject *encode_rows(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given;
    const char *kinds;
    Py_ssize_t columns;
    if (!PyArg_ParseTuple(args, "Os#:encode_rows", &given, &kinds, &columns)) {
        return NULL;
    }
    if (columns > MOST_COLUMNS || strspn(kinds, "248stbfy") != (size_t)columns) {
        return PyErr_Format(PyExc_ValueError, "unknown kinds of columns: %s", kinds);
    }
    PyObject *rows = PySequence_Tuple(given);
    Body body = {.pieces = rows ? PyList_New(0) : NULL, .spare = COUNT + columns * MOST_NUMBER + COUNT};
    if (body.pieces && write_body(&body, rows, kinds, columns) < 0) {
        Py_CLEAR(body.pieces);
    }
    Py_XDECREF(body.piece);
    Py_XDECREF(rows);
    return body.pieces;
}
