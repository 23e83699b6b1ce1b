/*
 * frames INTERFACE COUNT: moves data through a network card. Sends so many Ethernet frames of
 * growing length and changing content, one after the other, each to a far end that sends it back
 * with every byte behind the header inverted, and says "COUNT frames" when every answer was right.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ETHER_TYPE = 0x88b5, /* IEEE 802: for local experiments */
	LEAST = 60, /* without the checksum, which the card appends */
	MOST = 1514,
};

static const uint8_t far_end[ETH_ALEN] = {0x02, 0, 0, 0, 0, 0x01};

struct card {
	int fd;
	struct sockaddr_ll address;
	uint8_t own[ETH_ALEN];
};

static struct card open_card(const char *name) {
	struct card card = {.fd = socket(AF_PACKET, SOCK_RAW, htons(ETHER_TYPE))};
	struct ifreq request = {0};
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (card.fd < 0 || ioctl(card.fd, SIOCGIFHWADDR, &request) < 0) {
		err(1, "%s", name);
	}
	memcpy(card.own, request.ifr_hwaddr.sa_data, ETH_ALEN);
	card.address = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHER_TYPE),
		.sll_ifindex = (int)if_nametoindex(name),
		.sll_halen = ETH_ALEN,
	};
	if (bind(card.fd, (struct sockaddr *)&card.address, sizeof(card.address)) < 0) {
		err(1, "%s", name);
	}
	return card;
}

/* The same for the same number. */
static size_t fill(uint8_t frame[MOST], const struct card *card, unsigned number) {
	struct ether_header *header = (struct ether_header *)frame;
	memcpy(header->ether_dhost, far_end, ETH_ALEN);
	memcpy(header->ether_shost, card->own, ETH_ALEN);
	header->ether_type = htons(ETHER_TYPE);
	size_t length = LEAST + number * 97u % (MOST - LEAST + 1);
	uint32_t state = number * 2654435761u + 1;
	for (size_t i = sizeof(*header); i < length; i++) {
		state = state * 1664525u + 1013904223u;
		frame[i] = (uint8_t)(state >> 24);
	}
	return length;
}

static void exchange(const struct card *card, unsigned number) {
	uint8_t sent[MOST], got[MOST + 1];
	size_t length = fill(sent, card, number);
	if (send(card->fd, sent, length, 0) != (ssize_t)length) {
		err(1, "sending frame %u", number);
	}
	ssize_t answered = recv(card->fd, got, sizeof(got), 0);
	if (answered != (ssize_t)length) {
		errx(1, "frame %u of %zu bytes: an answer of %zd", number, length, answered);
	}
	for (size_t i = sizeof(struct ether_header); i < length; i++) {
		if (got[i] != (uint8_t)~sent[i]) {
			errx(1, "frame %u of %zu bytes: byte %zu is wrong", number, length, i);
		}
	}
}

int main(int argc, char *argv[]) {
	if (argc != 3) {
		errx(2, "usage: frames INTERFACE COUNT");
	}
	struct card card = open_card(argv[1]);
	unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
	for (unsigned i = 0; i < count; i++) {
		exchange(&card, i);
	}
	printf("%u frames\n", count);
	return 0;
}
