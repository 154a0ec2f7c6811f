/*
 * How much was written to a TCP socket, as the kernel counts it: what its peer has
 * acknowledged, and what waits for that.  The sum is exact to a byte, whatever is lost
 * on the way, sent again, or not read, and whichever process asks.
 */
#ifndef COMMON_WRITTEN_H
#define COMMON_WRITTEN_H

#include <stdint.h>

/*
 * Set *n to all bytes that were ever written to fd (borrowed), by whoever holds it,
 * modulo 2^32; one more where we have connected, and one more behind a shutdown.  While
 * somebody writes it is right for no moment.  0, or -1 with errno: EOPNOTSUPP or what
 * getsockopt(2) says (no TCP), EAGAIN (acknowledgements came between all looks at it).
 * Never waits.
 */
int	 written_total(int fd, uint32_t *n);

#endif
