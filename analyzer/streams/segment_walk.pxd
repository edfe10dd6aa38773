cimport cython

cdef int DATA, GAP, OVERLAP, LATE, STREAM_END, STREAM_RESET, FIN_DELIVERED
cdef long long START_PACKETS, LOST_PACKETS, LOST_BLIND, LOST_TIME, HELD_LIMIT, HELD_TOTAL, FAR
cdef int RETRANSMITTED, OUT_OF_ORDER, DUPLICATES, KEEPALIVES, PROBES, STALLS, STALLED, LONGEST_STALL, SHUT_SINCE, URGENT
cdef int URGENT_PACKET, URGENT_OFFSET, BEYOND, BEYOND_PACKET, BEYOND_OFFSET, RESETS, RESET_PACKET, RESET_OFFSET
cdef int EARLY, EARLY_PACKET, INFERRED
cdef long long LOST_RANGES, FOREVER, HALF, LAST, UNTIMED, RESET_AHEAD, REORDERED, COPY_TIME, RECENT

cdef class Spans:
    cdef public long long count
    cdef long long room
    cdef long long[::1] slot, offset, length, packet, at, position, time, release
    cdef unsigned char[::1] kind
    cpdef object grow(self)

cdef class Segments:
    cdef public long long chunk
    cdef public long long slots
    cdef long long room
    cdef unsigned char[::1] settled, seen, ended, holding, withholding, shut, shaking
    cdef long long[::1] base, next, acked, hole_packets, hole_time, highest, fin, quiet_since, data_packet, data_time, missing, repeated,\
        stray, timed, timed_since, trip, opened, opening_trip
    cdef int[::1] figure_of
    cdef long long[:, ::1] figures
    cdef long long[::1] recent_place, recent_look, recent_time
    cdef public long long figured, holding_all, withheld_all, finished
    cdef long long[::1] packets, last_packet, last_time
    cdef public dict held, withheld, lost, gaps, resets, corrections
    cdef public list endings
    cdef public object waiting
    cpdef object reserve(self, long long streams)
    cpdef object widen(self)

cpdef long long distance(long long number)

@cython.locals(row=cython.longlong)
cdef object emit(Spans spans, long long slot, int kind, long long offset, long long length, long long packet,
                 long long at, long long position, long long time, long long release)

@cython.locals(skip=cython.longlong)
cdef object part(Spans spans, long long slot, int kind, long long offset, long long low, long long high,
                 long long packet, long long at, long long position, long long time, long long release)

@cython.locals(low=cython.longlong, end_at=cython.longlong, ranges=list, place=cython.Py_ssize_t, start=cython.longlong,
               stop=cython.longlong, winner=cython.longlong)
cdef object copy(Segments segments, Spans spans, long long slot, long long offset, long long length, long long packet,
                 long long at, long long position, long long time, long long release)

@cython.locals(low=cython.longlong, end_at=cython.longlong, ranges=list, place=cython.Py_ssize_t, start=cython.longlong,
               stop=cython.longlong, winner=cython.longlong, other=cython.longlong, when=cython.longlong,
               high=cython.longlong, start_at=cython.longlong)
cdef object correct(Segments segments, Spans spans, long long slot, long long offset, long long length,
                    long long packet, long long at, long long position, long long time, long long release)

@cython.locals(other=cython.longlong, ahead=cython.longlong)
cdef long long needed(Segments segments, long long slot, long long ack)

cdef long long reached(Segments segments, long long slot)

@cython.locals(queue=object, since=cython.longlong, kept=cython.longlong, row=cython.longlong)
cdef object withhold(Segments segments, Spans spans, long long slot, long long first, long long need)

cdef object emit_again(Spans spans, long long row, long long to)

@cython.locals(kind=cython.int, offset=cython.longlong, length=cython.longlong, packet=cython.longlong,
               at=cython.longlong, position=cython.longlong, time=cython.longlong, chunk=cython.longlong)
cdef object let_pass(Segments segments, Spans spans, long long slot, long long reach, long long release)

@cython.locals(other=cython.longlong, need=cython.longlong, since=cython.longlong, began=cython.longlong,
               waited=cython.longlong)
cdef object expire(Segments segments, Spans spans, long long slot, long long time, long long release)

@cython.locals(stop=cython.longlong, size=cython.longlong)
cdef object deliver(Segments segments, Spans spans, long long slot, long long offset, long long length,
                    long long captured, long long packet, long long at, long long position, long long time,
                    long long release, long long need)

@cython.locals(before=cython.longlong, skip=cython.longlong)
cdef object deliver_part(Segments segments, Spans spans, long long slot, long long offset, long long length,
                         long long captured, long long packet, long long at, long long position, long long time,
                         long long release, long long need)

@cython.locals(ranges=list, place=cython.Py_ssize_t, start=cython.longlong, stop=cython.longlong,
               winner=cython.longlong, other=cython.longlong, when=cython.longlong, high=cython.longlong,
               start_at=cython.longlong)
cdef object cut(Segments segments, Spans spans, long long slot, long long low, long long end_at, long long packet,
                long long time, long long release)

@cython.locals(ranges=list)
cdef object gap(Segments segments, Spans spans, long long slot, long long start, long long stop, long long packet,
                long long time, long long release, long long place)

cdef object pass_on(Segments segments, Spans spans, long long slot, long long first, long long need, long long release)

@cython.locals(heap=list, offset=cython.longlong, packet=cython.longlong, length=cython.longlong,
               captured=cython.longlong, at=cython.longlong, position=cython.longlong, time=cython.longlong, chunk=cython.longlong,
               here=cython.longlong, ack=cython.longlong, need=cython.longlong)
cdef object unhold(Segments segments, Spans spans, long long slot, long long release)

@cython.locals(start=cython.longlong, stop=cython.longlong, packet=cython.longlong, time=cython.longlong,
               before=cython.longlong)
cdef object give_up(Segments segments, Spans spans, long long slot, long long release)

@cython.locals(other=cython.longlong, both=cython.bint)
cdef object settle(Segments segments, Spans spans, long long slot, long long release)

@cython.locals(heap=list, lowest=cython.longlong)
cdef object start(Segments segments, long long slot)

@cython.locals(heap=list, behind=cython.longlong)
cdef object begin_at(Segments segments, Spans spans, long long slot, long long start, long long release)

@cython.locals(slot=cython.longlong)
cdef object relieve(Segments segments, Spans spans, long long release)

cdef bint overdue(long long since, long long time)

@cython.locals(before=cython.longlong)
cdef object end(Segments segments, Spans spans, long long slot, long long packet, long long time, long long release)

@cython.locals(start=cython.longlong, stop=cython.longlong, low=cython.longlong, high=cython.longlong,
               octets=cython.longlong, ranges=list, place=cython.Py_ssize_t)
cdef long long late(Segments segments, Spans spans, long long slot, long long offset, long long length,
                 long long packet, long long at, long long position, long long time)

@cython.locals(row=cython.longlong)
cdef long long figure(Segments segments, long long slot)

@cython.locals(row=cython.longlong)
cdef object first(Segments segments, long long slot, int kind, long long amount, long long packet, long long offset)

@cython.locals(row=cython.longlong)
cdef object again(Segments segments, long long slot, long long ahead, long long length, bint duplicate)

@cython.locals(row=cython.longlong, trip=cython.longlong, since=cython.longlong, age=cython.longlong)
cdef object filled(Segments segments, long long slot, long long time)

@cython.locals(row=cython.longlong, since=cython.longlong)
cdef object window(Segments segments, long long slot, long long size, long long time)

@cython.locals(step=cython.int)
cdef object handshake(Segments segments, long long stream, long long slot, int bits, long long time)

@cython.locals(ahead=cython.longlong, behind=cython.longlong)
cdef bint valid_reset(Segments segments, long long slot, long long begin)

@cython.locals(at=cython.longlong, place=cython.longlong, look=cython.longlong, since=cython.longlong, same=cython.bint)
cdef bint known(Segments segments, long long slot, long long seq, long long length, long long identification,
                long long time)

@cython.locals(packet=cython.Py_ssize_t, stream=cython.longlong, slot=cython.longlong, other=cython.longlong,
               bits=cython.int, number=cython.longlong, begin=cython.longlong, length=cython.longlong,
               reach=cython.longlong, captured=cython.longlong, ahead=cython.longlong, offset=cython.longlong,
               side=cython.int, at=cython.longlong, waited=cython.longlong, heap=list, trip=cython.longlong,
               row=cython.longlong, found=cython.longlong, probe=cython.longlong, skip=cython.longlong, duplicate=cython.bint,
               need=cython.longlong)
cpdef object walk(Segments segments, Spans spans, const int[::1] stream_of, const unsigned char[::1] direction_of,
                  const unsigned int[::1] seq, const unsigned int[::1] ack, const unsigned char[::1] flags,
                  const unsigned short[::1] window_of, const unsigned short[::1] identification_of,
                  const unsigned int[::1] captured_of, const unsigned int[::1] length_of,
                  const long long[::1] at_of, const long long[::1] position_of, const long long[::1] time_of,
                  const long long[::1] number_of)

@cython.locals(slot=cython.longlong)
cpdef object finish(Segments segments, Spans spans, long long release)
