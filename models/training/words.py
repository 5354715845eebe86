"""The words the demo questions are made of, and which of them are kept out of training."""

import zlib

WORDS = """
able above across action admit adult after again agent agree ahead alarm album alert alive allow alone along amber ample anchor angle
animal ankle answer apple april apron arena argue arrow artist aside atlas attic autumn avenue awake award bacon badge bagel baker
balance ball bamboo banana band bank barn basic basin basket battery beach beacon bean bear beard beast beauty become before begin behind
being bell below bench berry beside better bicycle bird birth biscuit black blade blanket blaze bless block bloom blue board boat body
bone book border bottle bottom boulder bowl branch brave bread breeze brick bridge brief bright bring broken brother brown brush bucket
budget build bundle burn burst butter button cabin cable cactus cake calm camel camera camp canal candle canvas canyon captain carbon
card cargo carpet carrot castle cattle cave cedar cellar cello center chain chair chalk change chapel chart chase cheese cherry chess chest
chicken child chimney choice chorus circle circus city claim clay clean clear clever cliff climb clock cloth cloud clover coach coal coast
coat cobalt cocoa coconut coffee coin cold collar color comet comic common concert copper coral corner cotton couch count country courage
course cousin cover crab cradle craft crane cream creek cricket crisp crow crown cruise crystal cup curtain curve cycle daisy dance danger
dark dawn daily debate decide deep deer deliver dentist desert desk detail diamond dinner doctor dog dolphin domain donkey door double dozen
dragon drama drawer dream dress drift drink drive drum duck dune dust eager eagle early earth east easy echo edge effort eight elbow elder
elephant ember emerald empty engine enjoy enough enter equal error essay evening event exact extra fabric face factory fair falcon family
famous farm fast father feast feather fence fern ferry fever field fiddle figure film final finger fire fish flag flame flavor flint float
flood floor flour flower flute focus fog forest forget fork fort forum fossil fountain fox frame fresh friend frog frost fruit full funny
future galaxy garage garden garlic gate gather genius gentle ghost giant gift ginger giraffe girl give glacier glad glass globe glove
goal goat gold good goose grain grand grape grass gravel gravity gray great green ground group grove guard guest guide guitar habit hammer
hand happy harbor hard harvest hat hawk hazel head heart heavy hedge helmet help herb hero hill hobby hockey holiday hollow home honey hood
hope horizon horn horse hospital host hotel hour house humble hundred hunter hurry ice idea igloo image inch indoor infant injury insect
inside iron island ivory jacket jaguar jam jar jazz jelly jewel join joke journey judge juice jump jungle junior jury kayak kettle key
king kitchen kite kitten knee knife knight knock label ladder lady lake lamb lamp land language laptop large laser late laugh laundry lawn
lazy leader leaf learn leather lecture legend lemon length leopard lesson letter level liberty library life light lily limit linen lion
liquid list little lizard lobby lobster local logic long loud loyal lucky lumber lunch machine magic magnet maple marble march margin market
marsh mask master match meadow meal measure medal melody melon member memory mentor merit metal meter middle milk mill mind mineral minor
minute mirror mobile model modern moment monkey month moon moral morning mosaic mother motion motor mountain mouse mouth movie music mustard
napkin narrow nation nature near neck needle nephew nest network never night noble noise north nose notebook novel number nurse oak oasis
ocean office olive onion open opera orange orbit orchard order organ otter outside oven owl oxygen oyster page paint palace palm panda
panel paper parade parent park parrot party pasta patch path patient pattern peace peach peanut pearl pencil penguin people pepper
perfect person phone photo piano picnic picture piece pigeon pilot pine pink pirate planet plant plate player plaza plum pocket poem
point polar police pond pony pool poppy port post potato pottery powder power prairie present prince prize problem profit promise proud
public pudding pumpkin pupil puppet purple puzzle quality quartz queen quest question quick quiet quilt rabbit race radio raft rail rain
raisin ranch random rapid raven razor reader ready record red reef region relax remote rescue reward rhythm ribbon rice rich ride ring
river road robin robot rocket roof room rope rose round royal rubber ruby rug ruler safe sail salad salmon salt sample sand satin sauce
scale scarf school science scout screen sea season second secret seed senior sense seven shadow shark sharp sheep shelf shell shield
ship shirt shoe shore short shoulder show shower silk silver simple singer sister sketch skill sky sleep slice slow small smart smile
smoke snail snake snow soap soccer social sock soft soil solar soldier solid song soup south space spark speak special spice spider
spirit spoon sport spring square squirrel stable stage star station statue steam steel stem stone store storm story stove stream street
string student studio sugar summer sun sunset supper surface swan sweet swim sword symbol table tailor talent target taste teacher
team temple tennis tent theater thing thirty thread thumb thunder ticket tiger timber tiny title toast today tomato tooth topic torch
tornado total tower town track trade traffic train travel treasure tree triangle tribe trophy truck trumpet trust tulip tunnel turtle
twelve twin umbrella uncle under union unique unit update upper urban useful vacuum valley vapor vegetable velvet vessel victory video
view village vine violet violin virtue visit vivid voice volcano voyage wagon walk wall walnut warm watch water wave wealth weather
wedding week welcome west whale wheat wheel whisper white wide wild willow wind window wing winner winter wisdom wise wolf wonder wood
wool word world worth writer yacht yard year yellow yogurt young zebra zero zone
""".split()

NAMES = """
Aaron Ada Adam Agnes Alan Albert Alice Amara Amir Amy Anna Anton Arthur Asha Ava Axel Bella Ben Boris Bruno Carla Carlos Carmen Cecil Chloe Clara
Colin Cora Dana Daniel David Dina Dora Edgar Elena Eli Ella Emil Emma Erik Eva Farid Felix Fiona Frank Freya Gina Grace Greta Hana
Hassan Hector Helen Henry Hugo Ida Igor Ines Iris Isaac Ivan Jack Jacob James Jane Jasper Joan Johan John Jonas Julia Karim Karl
Kate Kenji Kira Lars Laura Lena Leo Lila Linda Lisa Louis Lucas Lucy Luis Magda Maria Marco Mark Marta Martin Mary Mateo Max Maya Mia
Milo Mina Mira Mona Nadia Nina Nora Oliver Olga Omar Oscar Pablo Paul Pedro Peter Petra Priya Rachel Rafael Ravi Rita Robert Rosa
Ruth Sam Samir Sara Simon Sofia Stella Sven Tara Tessa Theo Thomas Tina Tom Uma Vera Victor Vikram Wanda Will Yara Yusuf Zara Zoe
""".split()

CITIES = """
Accra Amsterdam Ankara Antwerp Athens Austin Baku Bangkok Barcelona Basel Beirut Bergen Berlin Bilbao Bogota Bologna Bonn Boston Bremen Bristol
Brussels Budapest Cairo Calgary Cardiff Chicago Cologne Cork Dakar Dallas Delhi Denver Dresden Dubai Dublin Durban Florence Geneva
Genoa Ghent Glasgow Graz Hamburg Hanoi Havana Helsinki Houston Istanbul Jakarta Kigali Kyoto Lagos Leeds Leipzig Lima Lisbon London
Lyon Madrid Malmo Manila Marseille Melbourne Miami Milan Montreal Moscow Mumbai Munich Nairobi Naples Nice Odessa Osaka Oslo Ottawa
Oxford Paris Perth Porto Prague Quito Reykjavik Riga Rome Rotterdam Salzburg Santiago Seattle Seoul Seville Sofia Stockholm Sydney Tallinn
Tampere Tokyo Toronto Toulouse Tunis Turin Utrecht Valencia Vancouver Venice Vienna Vilnius Warsaw York Zagreb Zurich
""".split()

THINGS = """
apples bananas oranges lemons pears plums books pens pencils stamps tickets eggs cakes cookies chairs lamps plates cups bottles
flowers roses trees balloons marbles shells coins cards toys stones hats shirts socks shoes keys photos postcards candles bikes boxes bags
""".split()

OPPOSITES = [pair.split("/") for pair in """
hot/cold big/small tall/short fast/slow old/new rich/poor happy/sad early/late light/dark hard/soft high/low strong/weak wet/dry full/empty
open/closed near/far clean/dirty loud/quiet thick/thin wide/narrow deep/shallow good/bad up/down left/right in/out day/night north/south
east/west first/last black/white begin/end win/lose buy/sell push/pull love/hate young/aged sweet/sour smooth/rough
brave/cowardly polite/rude cheap/expensive true/false always/never inside/outside above/below before/after friend/enemy question/answer
summer/winter give/take float/sink build/destroy remember/forget arrive/leave laugh/cry sharp/blunt safe/dangerous simple/complicated
alive/dead asleep/awake legal/illegal possible/impossible visible/invisible success/failure victory/defeat war/peace
""".split()]

# Reviews are put together from these; no thing to review says anything about the mood by itself.
REVIEWED = """
film book hotel room soup pizza phone camera concert play museum lamp chair table bike car coffee cake bread dress jacket laptop keyboard
game song album restaurant service driver tour garden pool beach flight train guide lesson course teacher app website battery screen
sound story ending breakfast dinner lunch salad waiter staff shop bed pillow blanket watch bag tent
""".split()
GOOD = """
great wonderful excellent good lovely amazing fantastic superb brilliant perfect delicious beautiful charming delightful outstanding
pleasant impressive terrific marvellous splendid fresh friendly helpful comfortable enjoyable fun awesome nice fine magnificent
incredible remarkable elegant reliable smart cosy sweet stunning first-class gorgeous
""".split()
BAD = """
terrible awful horrible bad poor dreadful disappointing boring dull ugly nasty disgusting useless broken cheap dirty rude slow noisy
unpleasant annoying mediocre weak stale cold bland painful ridiculous worthless lousy pathetic tasteless uncomfortable unreliable
miserable faulty overpriced frustrating tedious shabby
""".split()
GOOD_REMARKS = """
I loved it|I would come back any time|Worth every cent|I recommend it to everyone|It made my day|I enjoyed every minute|We will be back|
I am very happy with it|Best I ever had|It works perfectly|I could not be happier|Five stars|Everyone in my family liked it|
I was smiling all day|Thank you so much|A real joy|I liked it a lot|It exceeded my hopes|We had a great time|I want it again
""".replace("\n", "").split("|")
BAD_REMARKS = """
I hated it|I will never come back|A waste of money|I warn everyone about it|It ruined my day|I regret every minute|Never again|
I am very unhappy with it|Worst I ever had|It broke after one day|I want my money back|One star|Nobody in my family liked it|
I was angry all day|What a shame|A real pain|I disliked it a lot|It fell short of my hopes|We had a bad time|Stay away from it
""".replace("\n", "").split("|")


def is_held_out(key):
    """One key in ten, by its checksum alone: the same keys on every machine and in every order of drawing."""
    return zlib.crc32(key.encode()) % 10 == 0
