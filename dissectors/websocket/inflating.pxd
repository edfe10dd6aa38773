cimport cython

from dissectors.websocket.masking cimport unmask, unmask_into, utf8

cdef extern from *:
    """
    #include <string.h>

    /* zlib's z_stream. inflateInit2_ refuses another size, and another first digit of the version. */
    typedef struct {
        const unsigned char *next_in;
        unsigned int avail_in;
        unsigned long total_in;
        unsigned char *next_out;
        unsigned int avail_out;
        unsigned long total_out;
        const char *msg;
        void *state;
        void *(*zalloc)(void *, unsigned int, unsigned int);
        void (*zfree)(void *, void *);
        void *opaque;
        int data_type;
        unsigned long adler;
        unsigned long reserved;
    } z_layout;

    typedef struct {
        z_layout zlib;
        int status;
    } z_stream;

    static int (*z_init_call)(z_layout *, int, const char *, int);
    static int (*z_inflate_call)(z_layout *, int);
    static int (*z_end_call)(z_layout *);
    static int (*z_reset_call)(z_layout *);
    static int (*z_set_call)(z_layout *, const unsigned char *, unsigned int);
    static int (*z_get_call)(z_layout *, unsigned char *, unsigned int *);

    /* Take a list of addresses, in the order of FUNCTIONS. */
    static int z_bind(PyObject *found) {
        void *address[6];
        for (int at = 0; at < 6; at++)
            address[at] = PyLong_AsVoidPtr(PyList_GET_ITEM(found, at));
        z_init_call = (int (*)(z_layout *, int, const char *, int))address[0];
        z_inflate_call = (int (*)(z_layout *, int))address[1];
        z_end_call = (int (*)(z_layout *))address[2];
        z_reset_call = (int (*)(z_layout *))address[3];
        z_set_call = (int (*)(z_layout *, const unsigned char *, unsigned int))address[4];
        z_get_call = (int (*)(z_layout *, unsigned char *, unsigned int *))address[5];
        return !PyErr_Occurred();
    }

    /* Whether an inflater of raw DEFLATE could be made. */
    static int z_open(z_stream *stream) {
        memset(stream, 0, sizeof *stream);
        return z_init_call(&stream->zlib, -15, "1.2.8", (int)sizeof(z_layout)) == 0;
    }

    static void z_close(z_stream *stream) {
        z_end_call(&stream->zlib);
    }

    /* The input, which must live until the next. */
    static void z_give(z_stream *stream, PyObject *data, long long size) {
        stream->zlib.next_in = (const unsigned char *)PyByteArray_AS_STRING(data);
        stream->zlib.avail_in = (unsigned int)size;
    }

    /* Inflate into a bytearray as far as it goes; returns octets put there. 1 is Z_STREAM_END, -5 Z_BUF_ERROR: nothing
       was left to do; 2 is Z_NEED_DICT, which raw DEFLATE has not; 2 given to inflate is Z_SYNC_FLUSH. */
    static long long z_inflate(z_stream *stream, PyObject *out) {
        stream->zlib.next_out = (unsigned char *)PyByteArray_AS_STRING(out);
        stream->zlib.avail_out = (unsigned int)PyByteArray_GET_SIZE(out);
        stream->status = z_inflate_call(&stream->zlib, 2);
        if (stream->status == -5)
            stream->status = 0;
        return PyByteArray_GET_SIZE(out) - (long long)stream->zlib.avail_out;
    }

    static int z_status(z_stream *stream) {
        return stream->status;
    }

    static long long z_left(z_stream *stream) {
        return stream->zlib.avail_in;
    }

    static long long z_window(z_stream *stream, PyObject *into) {
        unsigned int length = 0;
        z_get_call(&stream->zlib, (unsigned char *)PyByteArray_AS_STRING(into), &length);
        return length;
    }

    /* Behind a final block: start anew in the same window. */
    static int z_again(z_stream *stream) {
        unsigned char window[32768];
        unsigned int length = 0;
        if (z_get_call(&stream->zlib, window, &length) != 0 || z_reset_call(&stream->zlib) != 0)
            return -1;
        return z_set_call(&stream->zlib, window, length);
    }
    """
    ctypedef struct z_stream:
        pass
    bint z_bind(list found)
    bint z_open(z_stream *stream)
    void z_close(z_stream *stream)
    void z_give(z_stream *stream, object data, long long size)
    long long z_inflate(z_stream *stream, object out)
    int z_status(z_stream *stream)
    long long z_left(z_stream *stream)
    long long z_window(z_stream *stream, object into)
    int z_again(z_stream *stream)

cdef int INFLATED, FAILED, OVER_LIMIT, FINAL_BLOCK, NO_TEXT
cdef bint NATIVE
cdef bytearray IN, OUT

cdef class Inflating:
    cdef public long long produced, text
    cdef bint fresh, native
    cdef object inflater
    cdef list recent
    cdef long long kept
    cdef unsigned char[::1] out
    cdef z_stream stream[1]

    @cython.locals(size=cython.Py_ssize_t, data=bytearray)
    cpdef int feed(self, const unsigned char[::1] octets, long long start, long long stop, long long key,
                   long long phase, bint tail, long long text, long long room) except -1
    cdef object take(self, const unsigned char[::1] out, long long length)
    @cython.locals(outcome=cython.int, length=cython.longlong, status=cython.int, left=cython.longlong)
    cdef int natively(self, long long size, long long room) except -1
    @cython.locals(outcome=cython.int)
    cdef int by_zlib(self, object data, long long room) except -1
    cdef object keep(self, bytes out)
    cpdef bytes window(self)
