extension CommonPasswordWords {
    /// Things, places, people of legend, teams, makers.
    static let things = """
        1michael aardvark aberdeen abnormal abrakadabra abstract academy acapulco accord account achilles acidburn adidas
        adrenalin adrenaline adventure agent agent007 airborne aircraft airforce airplane airport alabama alaska albatross album
        alcatraz alchemist alchemy alcohol aleksandr aleksandra alibaba alien aliens alleycat allstar allstars alpha alphabet
        alpine alterego always amadeus amateur amazing amazon ambrosia america american americana amethyst amsterdam anaconda
        anakin analog anastasiya android andromeda angelfish angels animal animals antelope anthrax antilles antique apache
        apollo apple applepie apples aquarius arabella arcade archangel archer archie architect area51 argentina aries arizona
        arkansas armageddon armstrong arsenal artist asia aspen aspirine assassin aston astro astronaut astros asylum athletic
        atlanta atlantic atlantis atlas atomic attack auburn audia aurora australia austria autobot avalanche avalon avatar
        avenger avengers aviation awesome azazel baby babybear babylon babylon5 backbone backdoor backpack backspace bacon
        badger badminton balance ballet balloon baltimore bamboo banana bananas bandit bangbang bangkok banker banzai baracuda
        barbados barcelona barefoot baritone barracuda barselona baseball basement basket basketball bassman bastille batman
        battle battlefield beach beaches beagle bear bearbear bearcat bearcats bears beast beastie beatles beautiful beauty
        beaver beavers beckham bedroom beethoven beetle belgium believe bellagio bendover bengals bentley bergkamp berlin bessie
        bestbuy bestfriend beyonce bicycle bigbooty bigfish billabong billiard billyboy bingo biohazard biology bird birdie
        birdman birthday biscuit bishop bismarck bismillah black blackberry blackbird blackcat blackdog blackhawk blackhawks
        blackhole blackie blackjack blackman blackops blackout blackpool blackrose blackstar blackwhite blackwolf blaster blazer
        bleach blessed blessing blessings blink blink182 blizzard blonde blondie blood bloody blossom blowfish blue blueball
        bluebell blueberry bluebird blueblue bluedog bluedragon blueeyes bluefish bluegrass bluejays bluemoon blues bluesky
        bluesman bluestar bluewater bmw bobafett bobcat bobdylan bobmarley bohemian bollocks bombay bombers bonanza bond007
        bondage bonehead booboo boogie bookworm boomer boomerang booster bordeaux borussia boss boston boulder boxers boxing
        brandnew brasil bravo brazil breakfast breeze brewster bridges bright brighton bristol broadway broken broncos brooklyn
        brother brothers brown brownie browns brucelee bruins brussels brutus bubba bubblegum bubbles buckeye buckeyes bucks
        buckshot budapest buddha buddyboy budlight budweiser buffalo buffy builder bulldog bulldogs bullet bullfrog bullseye
        bumblebee bunnies bunny burger burning business buster butter buttercup butterfly butters butthead button c3por2d2
        cabbage cabernet cactus cadbury cadillac caesar caliente california caligula calimero callisto calvinklein camaro
        camaro69 cambridge camelot camera campbell camping canada canadian canadiens cancer candle candles candy candyman
        cannabis cannibal cannon cannondale canon cantona canyon capetown capital capitals capricorn capslock captain caramel
        caramelo carbon cardiff cardinal cardinals carebear caribbean carlsberg carnage carnaval carnival carpediem carpenter
        carpet carrot cars cartman cartoon casanova cascade cashflow cashmoney casino casper castle cat catalyst catdog catfight
        catfish cathedral catwoman cavalier caveman cbr900rr celebrity celtic celtics center central century cerberus cessna
        chainsaw challenge challenger chameleon champ champagne champion champions championship chance changes channel chaos
        charger chargers charisma charity charlton charmed charming cheater checkers cheerleader cheerleaders cheers cheese
        cheeseburger cheesecake cheetah chelsea1 chemical chemistry cherokee cherries cherry cheshire chessmaster chevelle
        chevrolet chevy chewbacca chewy cheyenne chicago chicken chickens chief chiefs children chilli china chinese chipmunk
        chippy chivas chocolat chocolate chocolates choice chopin chopper christ christmas chronic chrysler chubby chuckles
        church cigarette cinderella cinnamon circle circus citizen civic civilwar clarinet clarity classic classics claymore
        cleopatra cleveland clio clippers clouds clover cobra cocacola coconut codered coffee coldbeer coldplay collection
        college colombia colonel colorado colossus coltrane colts columbia columbus comanche comfort comics command commander
        commando common communication company compaq compass complete computer computers concord concorde concrete condor
        confidential confused connect connection consul consumer contact content control converse cookbook cookie cookies cool
        coolcat cooldude coolgirl coolman coolness copenhagen copper corleone corolla corona corrado corsa corvette cosmic
        cosmos costarica cosworth cottage cotton cougar cougars counter counterstrike country courage coventry cowboy cowboys
        cowgirl coyote cracker crackers crackhead crash crazy crazycat crazyman creation creative creator creature credit
        crescent cricket criminal crimson crusader crystals cucumber cuddles cupcake cupcakes curious current custom customer
        cutegirl cutie cutiepie cyborg cyclone cyclones cypress daddy daddygirl daewoo daffodil daisies dallascowboys dance
        dancer dancing danger dangerous dannyboy daredevil dark darkangel darkknight darklord darkman darkmoon darkness darkside
        darkstar darkwolf darling darthvader dartmouth database daughter daytona deadhead deadman deadpool death deathnote
        deathstar december decker deepblue deeppurple deerhunter defender defiant deftones delicious dell delpiero delta
        deltaforce demon denmark depeche desert design designer desktop despair destroy destroyer detective detroit development
        devil devildog devils dexter diablo diamond diamonds dickens dictionary diesel dietcoke digger digimon digital dilbert
        dinamo dingdong dinner dinosaur diplomat dipstick director dirtbike dirty discover discovery disney disneyland district
        divine doberman doctor doctorwho dodge dodger dodgers dog dogbert doggie doggy doghouse dogpound dolphin dolphins domain
        domestic domination dominion donkey donkeykong doodle doomsday doraemon dortmund double doughboy downhill downtown
        dracula dragon dragonball dragonballz dragonfire dragonfly dragons dragster drawing dream dreamcast dreamer dreams
        dreamteam drowssap drpepper drummer drumming ducati duck duckling dude duke dumbass dundee dungeon dutchess dynamic
        dynamite dynasty eagle eagles earnhardt earth earthlink easter eastside eastwood easy easyrider eatme eclipse edinburgh
        edison education eggplant egypt einstein ekaterina elcamino eldorado electra electric electricity electro electronic
        elegance element elements elephant elephants elevator eleven elite embassy emerald eminem emotion emperor empire
        employee endless energy enforcer engine engineer engineering england english enigma enter enterprise entertain entrance
        envelope epiphone eragon ericsson escalade escape escort eskimo espresso eternal eternity ethernet europa europe
        evangelion everest evergreen everlast everquest everton everyday evilevil evolution example excalibur excellent exchange
        executive exodus exotic expert explore explorer explosion export express extension extreme eyeball facebook factory
        fairlane fairytale faithful falcon falcons familia family fandango fantasia fantastic fantasy fantomas farmer farscape
        fashion fastback fastball father favorite fearless feathers february federal feelgood feline fender fenerbahce ferrari
        ferret festival fidelity fiesta fighter fighting filter finalfantasy fire fireball firebird fireblade firefighter
        firefire firefly firefox fireman firenze fireplace firestar firestorm firewall firewater first fish fishbone fisher
        fisherman fishhead fishing fishtank fivestar flamenco flamengo flames flamingo flanders flanker flash flashman flawless
        fletcher flexible flight flipflop flipper florida flounder flower flowers fluffy flyers flying focus foobar football
        fordf150 forest forever forever21 forgetit forgiven formula formula1 forsaken fortress fortuna fortune forward foster
        fountain fourteen foxtrot foxylady france frankenstein freak freaky freckles freebird freedom freefall freeman freestyle
        freeway freezer french friday friend friendly friends friendship friendster frisco frodo frogger froggy frogs front242
        frontier frosty frozen fruehling fruit fuckface fujifilm fulham fullmoon function funky funny funstuff funtime fusion
        futurama future galatasaray galaxy galileo gambit gameboy gamecock gamecocks gamecube gameover gamer games gandalf
        gangsta gangster garbage garden gardener garfield gargoyle gateway gatorade gators gatsby geek gemini general generation
        genesis genius geology germany geronimo gesperrt getmoney ghetto ghost ghostrider gianluca giants gibson gigabyte
        giggles giraffe girlfriend girlpower girls gizmodo glacier gladiator glamour glasgow glitter global goalie gobears
        goblin goblue god godbless godfather godisgood godislove godsmack godspeed godzilla goforit gold goldberg golden
        goldeneye goldfinger goldfish goldie goldstar goldwing golf golfball golfer golfgolf golfgti golfing goliath gonzalez
        gonzo goober good123654 goodboy goodgirl goodlife goodman goodtime goodyear google goose gorgeous gorilla gothic
        gotohell governor graduate graffiti grandma grandmother grandpa granite grapes graphics grasshopper grateful
        gratefuldead gravity graywolf greatest greatone green greenbay greenday greendragon greengreen greenman greentea
        greenwood gretzky grey greyhound greywolf grinch grizzly groovy growth gsxr1000 guardian guatemala guinea guinness
        guitar guitarist guitars gunner gunners gymnast gymnastics hacker hackers hairball hairy halflife hallo halloween
        hamburg hamburger hamilton hammer hammerhead hammers hamster handball handsome handyman hannibal hannover happening
        happiness happy happy1 happyday happydays happyface happyman hardball hardcore harddick harddrive hardrock hardware
        hardwood harleydavidson harmony harrypotter harvard harvest hatred hattrick havana hawaii hawaiian hawkeye hawkeyes
        hawks hayabusa headache health heart heartbreak hearts heaven heavenly heavymetal hedgehog heineken hejsan hell hellboy
        hellfire hellraiser help herbst hercules heritage hermes herminio hermione hero heroes herring hershey highbury highland
        highlander highlife highschool hiking hilton hiphop history hitman hiver hobbes hobbit hockey hogwarts holiday holidays
        holland hollister hollywood holymoly home homebrew homeless homemade homepage homerun homework honda honey honeybear
        honeybee honeybun honeymoon hongkong honolulu hooligan hoosiers hooters hopeful hopeless horizon hornet hornets horse
        horses hospital hotdog hotgirl hotmail hotrod hotstuff hottie hounddog housewife howdy hubbard hugoboss huhuhu hummer
        hummingbird hurricane hurricanes huskers huskies hyacinth hyperion icecream icecube icehouse iceman iguana ihateyou
        illini illinois illusion images imagine immortal impact impala imperial impossible impreza inception incubus independent
        india indian indiana indians indigo industry inferno infinite infiniti infinity information insane inside insomnia
        inspector inspiron instinct insurance integra integrity intel interface internal international internet intrepid
        intruder inuyasha invierno invisible iomega ireland irish irishman ironmaiden ironman island islander istanbul isuzu
        italia italian italiano italy jackal jackass jackpot jaguar jaguars jamaica james007 jamesbond jamming january japan
        japanese javascript jayhawk jayhawks jazz jazzman jedi jellybean jellyfish jerkoff jersey jesus1 jesus777 jesuschrist
        jesusislord jesusloves jesussaves jetsetter jetski jewels jimbo jimihendrix jobhunt johncena johndeere johngalt joker
        joker1 jordan23 journal journey joystick jujitsu july jumper jungle junior junkmail jupiter jurassic just4fun justdoit
        justforfun justice justme juventus kamikadze kamikaze kangaroo kansas karaoke karate karolina katana kawasaki kazantip
        kenwood kenworth keyboard keystone kickass kickboxing kicker kikimora killbill killer killerbee killjoy killme killzone
        king kingdom kingfish kingfisher kingkong kings kingston kiss kisses kisskiss kissmyass kitchen kitten kittens kitty
        kittycat kittykat kleopatra klingon klondike knicks knight knights knitting knockout knowledge knuckles kobe24
        kobebryant kodiak kokakola komputer konstantin korean koroleva krasotka kristall krokodil labrador lacoste lacrosse
        ladies lady ladybird ladybug laetitia lakers lakeside lakewood lambchop lamborghini lancelot lancer landmark language
        lapochka laptop laser laserjet lasers lasthope lasvegas lavender lawyer leader leather lebowski lebron lebron23
        lebronjames ledzeppelin left4dead legacy legend legendary legends legolas lemmein lemonade lemons lenochka leonidas
        leopard lesbian letsdoit letsgo letters leverage lexus libertad liberty library life lifehack lifeisgood lifeline
        lifestyle lifetime light lighter lighthouse lighting lightning lilwayne limewire limited lincoln lineage linkedin
        linkinpark linux lion lionheart lionking lipstick liquid litterbox littlebit littleman littleone livelife liverpool
        livewire living lizard lockdown lockheed logitech lokomotiv lol12345 lollipop lollypop london lonely loner lonesome
        lonestar lonewolf longbeach longbow longhair longhorn longhorns longjohn looking looney looser lord losangeles loser
        lottery louisiana louisville love love123 love4ever lovebugs loveless lovelove lovely loverman lovestory lovesucks
        lovesyou lowrider lucifer lucky lucky7 luckycharm luckydog luckyone luckystar lumber lunchbox luvbug macaroni macbeth
        macdaddy machine macintosh madagascar madagaskar madcat madman madmax madonna madrid mafia magazine magellan magenta
        magic magical magician magicman magnet magnetic magnolia magnum mahalo mailbox mainland majestic makaveli maksimka
        malaysia malcolm malibu mallard mallorca mallrats mama mamacita mamamia mamapapa mammoth mamochka manager manchester
        mandarin mandrake manhattan maniac manowar manson mantra manunited manutd maple maradona marathon marauder marble
        marcello march mariachi marijuana mariners marines mariposa maritime market marketing marlboro marley married mars
        marseille marsupial martini marvel masamune maserati massive master masterchief masterkey mastermind masters matchbox
        material matrix mature maurizio maveric maxpower mazda mazdarx7 mcdonald mcdonalds mcgregor meatball meathead meatloaf
        mechanic media medical medicine medieval megadeth megaman megapass megatron meister melbourne mellow member members
        memories memory memphis menace mephisto mercury meridian merlin mermaid mersedes messenger messi metal metalgear
        metallic metallica meteor method mexican mexico miami michael23 michigan microlab microphone microsoft midland midnight
        midnite military millenium millennium miller million millionaire millions millwall mimosa minecraft minerva minimum
        minister ministry minnesota minnie miracle miracles mirror mischief misery misfit misfits mission mississippi missouri
        missy mistress mitsubishi mobile mobydick moderator modern mohawk momanddad mommy monalisa monday money moneymaker
        moneyman mongolia mongoose monitor monkey monkey1 monkeyboy monkeyman monkeys monopoly monster monsters montana
        montecarlo monterey montreal montrose moomoo moonbeam mooncake moonlight moonstar moose morning morpheus morrowind
        mortal mortgage mortimer moscow mother motherlode moto motocross motorbike motorcycle motorhead motorola mountain
        mountaindew mountains mouse mousepad movies mozart mudvayne muffin mulberry multimedia munchkin murder muscle museum
        mushroom mushrooms music musical musician musiclover musicman mustang mustang67 mustangs mutant myfamily mylife mylove
        mynameis myself myspace mystery mystical naruto narutouzumaki nascar nashville national nations nature naughty nautilus
        navigator navyseal ncc1701 ncc1701a ncc1701d ncc1701e nebraska necromancer negative neptune nerd netscape network
        networks neutral nevada neverland nevermind nevermore newcastle newlife newport newton newyear newyork newyorker
        newzealand nicegirl niceguy nickname nigeria nightfall nighthawk nightmare nightowl nightshade nightwish nike nikon
        nintendo nirvana nissan nissans nitrogen nocturne nokia nokia6300 nokian73 nomads noname nonsense normal normandy
        northern northside norton norway nosferatu nostradamus nostromo notebook notorious notredame november nuclear nugget
        number number1 numberone numbers nursing nutmeg oakland oakley oaktree oasis oblivion obsidian october octopus odyssey
        office official offspring ohio ohiostate oklahoma oksana oldman oldschool olive olympic olympus omega omega1 onelove
        onetime online open opendoor openopen opera operator opposite optimist optimus optimusprime option oracle orange oranges
        orbital orchard orchid oregon organic oriental original orioles orion ornament osiris otono ottawa outback outdoors
        outkast outlaw outlaws outside outsider overdose overkill overlook overlord oxford oxygen ozzy pacific packard packers
        padres paintball painter painting pakistan paladin palestine pallmall palmtree panama panasonic pancake pancakes panda
        pandas pandora pantera panther panthera panthers panties papa paper paperclip paperino papillon paradigm paradise
        paradox paramedic paramore paranoia parliament parrot partner partners party pasadena pass passion passport pathfinder
        patience patriot patriots pavement pavilion payton peace peaceful peaches peacock peanut peanuts pearljam pearls pebbles
        peekaboo pelican pencil penguin penguins penthouse people pepper peppers pepsi pepsicola perfect perfection persephone
        persian personal peru peterpan petrovich petunia peugeot phantom pharaoh pharmacy philadelphia philippines phillies
        phish phoenix photo photography photos phpbb physics piano pianoman picard picasso pickle pickles picture pictures
        pierce piercing piglet pilgrim pillow pimpin pinball pineapple pinetree pingpong pinhead pink pinkfloyd pinkpink pinky
        pinnacle pioneer pipeline pippin piramida piranha pirate pirates pisces pistol pistons pitbull pitcher pittsburgh pizza
        pizzahut pizzaman planet planets plasma plastic platinum platypus play playball playboy player playground playing
        playstation playtime pleasure plumber plymouth poetry pogiako poison pokemon poker polar polarbear police policeman
        polish politics polska poohbear pookie pool popcorn popeye popopo poppop popular porkchop porsche porsche911 portable
        portland portugal poseidon positive possible postman potato potatoes potter poverty power powerful powers prayer
        preacher precious predator premier premium presario president pressure prestige pretty prettygirl priest primavera
        primetime prince princesa princess princesse princeton pringles printemps printer printing private problem prodigy
        product production professor program programmer programming progress project prometheus promise property prophet
        prospect protect protection protocol prowler prudence psycho psychology public publish pudding pulsar puma pumpkin
        pumpkins punisher punkin punkrock pupper puppies puppy puppydog puppylove purple purplehaze puzzle pyramid python quake
        quality quantum quartz quasar quebec queen queenbee quest question quicksilver quiksilver quixote qwerty1 r2d2c3po
        rabbit rabbits racecar racer racing racoon radiator radical radio radiohead rafting ragnarok raider raiders railroad
        rainbow rainbows raindrop rainman rainyday raistlin rallye rambler rambo rammstein ramrod ramstein random randomness
        ranger rangers rap raptor raptors rascal rasputin rasta rastaman ravens razor reading reagan reality realmadrid reason
        rebel rebels rebound reckless recovery redalert redbaron redbird redbull redcar reddevil reddevils reddog reddragon
        reddwarf redeye redhat redhead redhot redlight redline redman redneck redrose redroses redrum redshift redskin redskins
        redsox redstar redwing redwings reflex reggae regional register reliance religion reload remington renault renegade
        replay republic research resident resource response restaurant retard revelation revenge reverse revolution revolver
        rhapsody rhiannon rhythm ribbon richmond ricochet ridebmx riffraff rightnow rimmer ripper river riverplate riverside
        roadkill roadking roadrunner roadster robertson robot robotech robotics rochester rock rocket rocketman rockets rockford
        rockhard rockies rockmusic rocknroll rockon rockstar rocky rolltide romance romania romans romantic romashka ronaldinho
        ronin rooney rooster roosters rootbeer rosebud roses rosewood rossignol rotten rottweiler royals royalty rubber rugby
        rugrats runaway runescape runner running rush rush2112 russia russian saber sabotage sabres sacred sacrifice safari
        safeway sagitario sagittarius sailboat sailing sailor sailormoon saint saints sakura saladin salamander salmon salome
        salsa samsam samsung samurai sanchez sandiego sandman sandwich sanfran sanfrancisco sanity sanjose santana sapphire
        saratoga sasuke satan satan666 satellite satisfaction saturday saturn sausages savage savior sawyer saxophone scandal
        scania scarab scarface scarlet schalke04 schatzi schedule scheisse schneider school schooner science scientist scooby
        scoobydoo scooter scorpio scorpion scorpions scorpius scotland scottish scoubidou scouting scrabble scrappy scratch
        screamer screen scruffy scuba scubadiver seabreeze seahawks seahorse search seattle secure security seinfeld select
        selection seminole seminoles semperfi senators sephiroth september sepultura sequoia serenade serendipity sergeant
        serpent service services seven seventeen sevenup sex sexy sexybitch sexyboy sexygirl sexylady sexything shadow shadows
        shakespeare shalom shaman shamrock sharing shark sharks sharky sharp shazam sheepdog shelter shepherd sheriff sherlock
        shinobi shipping shitface shithappens shooter shooting shopping shortcake shorty shotgun showtime sickness sidekick
        silence silencer silent silly silver silverado silverfox simple simpleplan simplicity simpsons singapore singer singing
        single sinister sister sisters skate skateboard skateboarding skater skeeter skeleton skiing skinhead skinny skipper
        skippy skittles skorpion skull skydive skydiver skyline skywalker slamdunk slapshot slayer sleeper sleeping sleepy
        slickrick slim slimshady slipknot slipper slippery slowhand smackdown smallville smart smartass smashing
        smashingpumpkins smeghead smile smiles smiley smirnoff smirnova smoke smokey smoking smooth smoothie snapper snapple
        snapshot sneakers snickers sniffer sniper snoopdog snoopdogg snoopy snow snowball snowbird snowboard snowboarding
        snowden snowflake snowman snowwhite snuggles soccer soccerball society socrates softball software sokolova solaris
        soldier solitude solomon solution someday somerset somewhere sommer sonic sonnenschein sonny sony sonyericsson sooners
        soprano soul soulmate soundgarden southern southpark southpaw southside sovereign soyuz spaceman spaceship spagetti
        spaghetti spain spanish spanking spanky spark sparkle sparkles sparky sparrow sparrows spartak spartan spartans special
        specialist specialk spectrum speed speedo speedracer speedway speedy sphinx spice spicegirls spider spiderman spidey
        spirit spirits spiritual spitfire splash splinter spongebob spooky sport sporting sports spotlight spring springer
        springfield sprinter sprocket spunky spurs squad squall square squash squirrel squirt stadium stallion stanford star
        starbucks starcraft stardust starfire starfish starfleet stargate stargazer starlet starlight stars starship starstar
        start starter startfinish startrek starwars state station stealth steel steeler steelers stellar stereo stickman sticky
        stigmata stiletto stingray stinker stinky stocking stonecold stoned stones stonewall stoppedby storage storm stormy
        straight stranger strangers strategy stratford strawberry stream street streets strength stripper stronger student
        students studio stunner stupid subaru sublime submarine success successful sucker suckit sugar sugarbear suicide
        summertime summit sunbeam sunburn sundance sunday sunderland sundevil sunfire sunflower sunflowers sunlight sunny
        sunnyday sunrise sunset sunshine super superb superboy supercool superdog superdude superduper superfly supergirl
        superhero superior superjet superman supermand supermario supermen supernatural supernova supersonic superstar
        supervisor support supreme surfer surfing surgeon surprise surveyor survival survivor susuki suzuki swallow sweden sweet
        sweetgirl sweetheart sweetie sweetiepie sweetlove sweetnes sweetness sweetpea sweets sweety swimmer swimming swinger
        swinging switch swordfish swords sylvania symphony syncmaster syndrome synergy syracuse system systems tabasco tacobell
        tactical taekwondo talisman tamerlan tampabay tango tanker tarantula tardis target tarheel tarheels tarzan tasha
        tasmania tattoo taurus taxicab teacher teachers teamwork tech technical technics techno technology teddybear teenager
        telecom telefon telefono telephone television templar temple temptation tennessee tennis tequila terminal terminator
        terrapin terrible terrier terror texas thailand thanatos theater thebeast thebeatles thebest theboss thecat thedoors
        thedude theforce thegame thegreat theking theman themaster thematrix theone therapy there therock thesims thinking
        thirteen thirty thisisit thistle thuglife thumper thunder thunderbird thunderbolt thursday thx1138 tiberius tickle
        ticklish ticktock tiger tigereye tigers tigger timberland timeless timeout timosha tinker tinkerbell tintin titan
        titanic titanium titans titleist toaster tokiohotel tokyo tomahawk tomato tomatoes tombraider tomcat tommyboy tomorrow
        toonarmy topgun topolino topsecret tornado toronto tortoise toshiba tottenham tournament tower toyota tractor trading
        traffic trailer trainer training tranquil transam transfer transformers translator transport travel traveler treasure
        treefrog treehouse tremendous triangle tribal tricolor trident trigger trinidad trinitron triple triplets triton triumph
        trojan trojans trombone trooper tropical trouble trucker trucking trueblue truelove trumpet trunks trust trustme truth
        tucker tuesday tunafish turbo turkey turner turquoise turtle turtles tweety twilight twinkle twins twisted twister
        twitter typhoon ukraine ultima ultimate ultraman umbrella undead underdog underground understand undertaker underworld
        unicorn unicorns union unique united unity universal universe university unknown unlimited unlocked unreal upgrade
        uranus usmarine vacation vagabond valencia valentino valhalla valkyrie valley valleywag vampire vampires vancouver
        vanguard vanhalen vanilla vasilisa vauxhall vector vegas vegeta vegetable vegitto vendetta venice venom venture venus
        veracruz verano verbatim verizon vermont versace vertigo viagra vicious victory video videos vietnam viewsonic viking
        vikings village villain violetta viper virtual vision visitor vitamin vkontakte vodafone voicemail volcano volcom
        volkswagen volleyball voltage volunteer volvo voodoo voyager vulcan wanderer wanker warcraft wareagle warehouse
        warhammer warlock warlord warrior warriors washington watcher water waterboy waterfall waterloo watermelon waterpolo
        watson weather weaver website wedding wednesday weekend weezer weird werewolf western westham westlife westside westwood
        whale whatthe whiskers whiskey whisper whistler white whiteboy whitehouse whiteman whiteout whitesox whitney wholesale
        wichita wicked wideopen wildbill wildcard wildcat wildcats wildfire wildflower wildlife wildman wildwest wildwood
        windmill window windows windows7 windowsxp windstar windsurf wingman winner winners winnie winniethepooh winter wireless
        wisconsin wisdom wishbone witchcraft wizard wizards wolf wolfman wolfpack wolverine wolverines wolves wonder wonderboy
        wonderful wonderland wonderwoman woodland woodstock woodwork woofer work worker working workshop world worldcup
        worldofwarcraft worldwide worthy wrangler wrestle wrestler wrestling wrinkle wrinkles writer writing xanadu xbox360
        xfiles xmen xyz yahoo yamaha yamahar1 yankee yankees yaroslav yellow yellowstone yesterday yogibear yosemite yourmom
        yourself youtube yugioh yummy zanzibar zebra zeppelin zerocool zeus zidane zigzag zildjian zimbabwe zombie zombies
        """
}
