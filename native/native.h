/* What the files of models/_native share. The definition of each function is its Python way in models/. */

#ifndef HEADRACE_NATIVE_H
#define HEADRACE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

/* Before Python 3.12 a str of an old C API may not have its characters in place yet. */
#if PY_VERSION_HEX < 0x030c0000
#define READY(text) PyUnicode_READY(text)
#else
#define READY(text) 0
#endif

PyObject *word_count(PyObject *module, PyObject *content);
PyObject *encode_rows(PyObject *module, PyObject *args);

/* Get Python's C interface to datetime; -1 with an exception where there is none. */
int import_datetime(void);

#endif
