cimport cython

from dissectors.websocket.masking cimport unmask, utf8

cdef class Found:
    cdef public long long at, bits, sure, size, open
    cdef int[::1] worth

@cython.locals(bits=cython.int)
cdef int log2(long long number) except -1

@cython.locals(first=cython.int, opcode=cython.int, rsv=cython.int, second=cython.int, length=cython.longlong,
               size=cython.int, least=cython.longlong, index=cython.int, key=cython.longlong, bits=cython.int,
               start=cython.longlong, have=cython.longlong, told=bytearray, code=cython.int, state=cython.longlong)
cdef int header(Found found, const unsigned char[::1] octets, long long at, long long stop, int client, int defined,
                int opened) except? -9

@cython.locals(text=bytearray, index=cython.int, octet=cython.int)
cdef int readable(const unsigned char[::1] octets, long long start, long long length, long long key) except -1

@cython.locals(path=list, total=cython.int, opened=cython.int, place=cython.longlong, known=cython.int,
               bits=cython.int)
cdef int chain(Found found, const unsigned char[::1] octets, const unsigned char[::1] starts, long long at,
               long long stop, int client, int defined, int ended) except? -9

@cython.locals(stop=cython.longlong, at=cython.longlong, bits=cython.int, distance=cython.int, own=cython.int,
               follower=cython.longlong, found=Found)
cpdef Found search(const unsigned char[::1] octets, const unsigned char[::1] starts, int client, int defined,
                   int ended)

@cython.locals(stop=cython.longlong, at=cython.longlong, bits=cython.int, total=cython.longlong, opened=cython.int,
               found=Found)
cpdef long long weigh(const unsigned char[::1] octets, const unsigned char[::1] starts, int client, int defined,
                      int ended) except -1
