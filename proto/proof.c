/* The proof that somebody knows a key. */
#include <errno.h>
#include <limits.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "proto/proof.h"

int
proof_seed(char dst[PROOF_SEED + 1])
{
	static const char	 digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz";
	const unsigned		 n = sizeof(digits) - 1;
	unsigned char		 random[64];
	size_t			 len = 0;

	while (len < PROOF_SEED) {
		if (getrandom(random, sizeof(random), 0) !=
		    (ssize_t)sizeof(random))
			return (-1);
		/* Those above are passed over, for some digits would be
		 * likelier. */
		for (size_t i = 0; i < sizeof(random) && len < PROOF_SEED; i++)
			if (random[i] < 256 / n * n)
				dst[len++] = digits[random[i] % n];
	}
	dst[len] = '\0';
	return (0);
}

int
proof_make(char dst[PROOF_LEN + 1], struct slice key, struct slice seed)
{
	static const char	 hex[] = "0123456789abcdef";
	unsigned char		 mac[PROOF_LEN / 2];
	unsigned		 n = 0;

	if (key.len > INT_MAX || HMAC(EVP_sha256(), key.data, (int)key.len,
	    (const unsigned char *)seed.data, seed.len, mac, &n) == NULL ||
	    n != sizeof(mac)) {
		errno = ENOMEM;
		return (-1);
	}
	for (size_t i = 0; i < sizeof(mac); i++) {
		dst[2 * i] = hex[mac[i] >> 4];
		dst[2 * i + 1] = hex[mac[i] & 15];
	}
	dst[PROOF_LEN] = '\0';
	return (0);
}

int
proof_right(struct slice proof, struct slice key, struct slice seed)
{
	char	 want[PROOF_LEN + 1];
	int	 right;

	if (proof.len != PROOF_LEN || proof_make(want, key, seed) == -1)
		return (0);
	right = CRYPTO_memcmp(proof.data, want, PROOF_LEN) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	return (right);
}
